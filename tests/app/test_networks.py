"""IP addresses and networks: which texts are read, and which address is in which network."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import networks


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
        ],
    )
    def test_an_address_is_read_without_zone_and_mapping(self, text: str, expected: str) -> None:
        assert str(networks.parse_address(text)) == expected

    @pytest.mark.parametrize(
        "text", ["", "unknown", "192.0.2.256", "192.0.2", "192.0.2.01", "192.0.2.1%eth0", "1:2", "fe80::1%", "٨.8.8.8"]
    )
    def test_other_text_is_none(self, text: str) -> None:
        assert networks.parse_address(text) is None

    @given(st.ip_addresses())
    def test_the_text_of_an_address_is_read_back(self, address: object) -> None:
        parsed = networks.parse_address(str(address))

        assert parsed == (getattr(address, "ipv4_mapped", None) or address)
        assert networks.parse_address(str(parsed)) == parsed


class TestCidr:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.1/32", "192.0.2.1/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::fffe:0:0/95", "::fffe:0:0/95"),
        ],
    )
    def test_a_network_is_read(self, text: str, expected: str) -> None:
        assert str(networks.parse_cidr(text)) == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("", "192.0.2.0", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "/24", "2001:db8::/129"),
            *("192.0.2.0/255.255.255.0", "192.0.2/24", " 192.0.2.0/24", "192.0.2.0/24\n", "fe80::%eth0/64", "shop/24"),
            *("192.0.2.0/٢٤", "::ffff:10.0.0.1/104"),
        ],
    )
    def test_other_text_is_rejected(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            networks.parse_cidr(text)


class TestContain:
    @pytest.mark.parametrize(
        ("text", "inside", "outside"),
        [
            ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.1.255", "192.0.3.0", "::", "2001:db8::1"]),
            ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
            ("2001:db8::/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2", "2001:db7:ffff::", "0.0.0.0"]),
            ("::/0", ["::", "::1", "ffff::"], ["0.0.0.0", "192.0.2.1"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
        ],
    )
    def test_both_ends_of_a_network_are_inside(self, text: str, inside: list[str], outside: list[str]) -> None:
        network = networks.parse_cidr(text)

        assert [networks.contain([network], ip_address(address)) for address in inside] == [True] * len(inside)
        assert [networks.contain([network], ip_address(address)) for address in outside] == [False] * len(outside)

    def test_no_network_contains_nothing(self) -> None:
        assert not networks.contain([], ip_address("192.0.2.1"))


class TestViolation:
    @pytest.mark.parametrize("text", ["0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:0DB8:0::/32", "::ffff:10.0.0.0/104"])
    def test_a_network_without_host_bits_is_valid(self, text: str) -> None:
        assert networks.violation(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            *("", "/", "x", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/8/8"),
            *("10.0.0.0/255.0.0.0", "10.0.0.0/8\n", "2001:db8::", "2001:db8::/129", "fe80::%eth0/64", "example.com/8"),
        ],
    )
    def test_another_notation_is_not_a_network(self, text: str) -> None:
        assert networks.violation(text) == "must be a network in CIDR notation, such as 203.0.113.0/24"

    @pytest.mark.parametrize(
        ("text", "correct"),
        [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("192.0.2.1/31", "192.0.2.0/31"),
            ("128.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::1/127", "::/127"),
            ("::ffff:10.0.0.1/104", "10.0.0.0/8"),
        ],
    )
    def test_host_bits_are_a_violation_that_names_the_network(self, text: str, correct: str) -> None:
        assert networks.violation(text) == f"must not have host bits: use {correct}"


class TestCover:
    @pytest.mark.parametrize(
        ("allowed", "other", "expected"),
        [
            (["10.0.0.0/8"], "10.0.0.0/8", True),
            (["10.0.0.0/8"], "10.255.255.255/32", True),
            (["10.0.0.0/8"], "11.0.0.0/32", False),
            (["10.0.0.0/8"], "10.0.0.0/7", False),
            (["10.0.0.0/9", "10.128.0.0/9"], "10.0.0.0/8", True),
            (["10.0.0.0/9", "10.192.0.0/10"], "10.0.0.0/8", False),
            (["0.0.0.0/1", "::/0", "128.0.0.0/1"], "0.0.0.0/0", True),
            (["0.0.0.0/0"], "::/128", False),
            (["::/0"], "192.0.2.0/24", False),
            (["2001:db8::/33", "2001:db8:8000::/33"], "2001:db8::/32", True),
            ([], "192.0.2.1/32", False),
        ],
    )
    def test_networks_cover_what_they_contain_together(self, allowed: list[str], other: str, *, expected: bool) -> None:
        found = networks.cover([networks.parse_cidr(text) for text in allowed], networks.parse_cidr(other))

        assert found is expected
