"""Where a webhook may go: every form of every address that must be refused, and names that change their mind."""

import asyncio
import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import egress
from app.egress import DestinationError, Rules, check_characters, parse, parse_networks, parse_ports

RULES = Rules()
REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "8000::1",
]
ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "192.0.1.1",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
]


def in_url(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


class TestAddresses:
    @pytest.mark.parametrize("address", REFUSED)
    def test_special_ones_are_refused(self, address: str) -> None:
        assert not RULES.allow(ip_address(address))
        with pytest.raises(DestinationError, match="not public"):
            parse(in_url(address), RULES)

    @pytest.mark.parametrize("address", ALLOWED)
    def test_public_ones_are_allowed(self, address: str) -> None:
        assert RULES.allow(ip_address(address))
        assert parse(in_url(address), RULES).address == ip_address(address)

    def test_the_operator_can_allow_networks(self) -> None:
        rules = Rules(networks=parse_networks("127.0.0.0/8, fd00::/8"))

        for address in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1"):
            assert rules.allow(ip_address(address))
        for address in ("10.0.0.1", "::1", "64:ff9b::7f00:1"):
            assert not rules.allow(ip_address(address))

    @given(st.ip_addresses())
    def test_nothing_that_the_standard_library_knows_as_private_passes(self, address: object) -> None:
        allowed = RULES.allow(address)  # type: ignore[arg-type]

        if allowed and getattr(address, "ipv4_mapped", None) is None:
            assert address.is_global  # type: ignore[attr-defined]
            assert not address.is_multicast  # type: ignore[attr-defined]


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            *((f"http://{host}/", "number, but no IPv4") for host in ("2130706433", "0177.0.0.1", "0x7f.1", "127.1")),
            *((f"http://{host}/", "number, but no IPv4") for host in ("0x7f000001", "1.2.3", "1.2.3.4.5", "a.0x1")),
            *(
                (f"http://{host}/", "number, but no IPv4")
                for host in ("\uff11\uff12\uff17.\uff10.\uff10.\uff11", "①②⑦.1", "08.8.8.8", "999.1.1.1")
            ),
            *((f"http://{host}/", "not a valid name") for host in ("example.com.", "127.0.0.1.", "", "a..b", ".a")),
            *(
                (f"http://{host}/", "not a valid name")
                for host in ("a" * 64 + ".com", "a." * 127 + "com", "-a.com", "a%62")
            ),
            *((f"http://{host}/", "not public") for host in ("localhost", "LOCALHOST", "a.localhost", "ⓛocalhost")),
            ("http://[example.com]/", "not a valid URL"),
            ("http://[::1%eth0]/", "zone"),
            ("http://[::1%25eth0]/", "zone"),
            ("http://user@example.com/", "user name"),
            ("http://user:pass@example.com/", "user name"),
            ("http://example.com:22/", "port"),
            ("http://example.com:0/", "port"),
            ("http://example.com:6379/", "port"),
            ("http://example.com:99999/", "not a valid URL"),
            ("http://example.com:8o/", "not a valid URL"),
            ("ftp://example.com/", "must begin"),
            ("file:///etc/passwd", "must begin"),
            ("//example.com/", "must begin"),
            ("http:example.com", "must begin"),
            ("http:/example.com", "must begin"),
            ("", "must begin"),
            ("http://exa mple.com/", "spaces"),
            ("http://example.com\\@10.0.0.1/", "backslashes"),
            ("http://example.com/\r\nX: y", "control"),
            ("http://example.com/\x00", "control"),
            ("http://example.com/\u2028", "control"),
        ],
    )
    def test_odd_ones_are_refused_and_say_why(self, url: str, words: str) -> None:
        with pytest.raises(DestinationError, match=words):
            parse(url, RULES)

    @pytest.mark.parametrize("character", '"<>^`{|}[] \\')
    @pytest.mark.parametrize("place", ["path/{}", "path?query={}", "#fragment{}"])
    def test_a_character_that_no_url_has_is_named_with_its_code(self, character: str, place: str) -> None:
        with pytest.raises(DestinationError) as caught:
            check_characters("https://example.com/" + place.replace("{}", character))

        assert str(caught.value) == f"url must not contain '{character}'. Write it as %{ord(character):02X}."

    @pytest.mark.parametrize("character", '"<>^`{|} \\')
    def test_neither_has_its_host(self, character: str) -> None:
        with pytest.raises(DestinationError, match=r"^url must not contain '.' before its path\.$"):
            check_characters(f"https://exam{character}ple.com/path")

    @pytest.mark.parametrize(("character", "code"), [("\t", "U+0009"), ("\u202e", "U+202E"), ("\u00a0", "U+00A0")])
    def test_one_that_cannot_be_seen_is_named_by_its_number(self, character: str, code: str) -> None:
        with pytest.raises(DestinationError, match=rf" Remove {re.escape(code)}\.$"):
            parse(f"https://example.com/{character}", RULES)

    @pytest.mark.parametrize("path", ["100%", "%zz", "a%2", "?a=%", "%%20"])
    def test_a_percent_sign_that_encodes_nothing_is_named(self, path: str) -> None:
        with pytest.raises(DestinationError, match=r"'%' without two hexadecimal digits after it\. Write it as %25\."):
            check_characters("https://example.com/" + path)

    def test_a_second_number_sign_is_named(self) -> None:
        with pytest.raises(DestinationError, match="'#'"):
            check_characters("https://example.com/#a#b")

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/-._~!$&'()*+,;=:@/%7B%7d?-._~!$&'()*+,;=:@/?%20#-._~!$&'()*+,;=:@/?%20",
            "https://[2606:4700::1111]:443/x",
            "https://exämple.com/ü?x=ü",
        ],
    )
    def test_all_others_are_fine(self, url: str) -> None:
        check_characters(url)

    def test_the_operator_is_given_the_setting(self) -> None:
        for url, setting in (
            ("http://example.com:8080/", "port 8080 is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS"),
            ("http://10.0.0.1/", "10.0.0.1, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"),
        ):
            with pytest.raises(DestinationError) as caught:
                parse(url, RULES)
            assert caught.value.cause == setting
            assert "DISTRIBU" not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "host", "authority", "path"),
        [
            ("https://Example.COM", "example.com", "example.com", "/"),
            ("https://example.com:443/a?b=c#d", "example.com", "example.com", "/a?b=c"),
            ("http://example.com:443/", "example.com", "example.com:443", "/"),
            ("https://exämple.com/ü?x=ü", "xn--exmple-cua.com", "xn--exmple-cua.com", "/%C3%BC?x=%C3%BC"),
            ("https://[2606:4700::1111]/x", "2606:4700::1111", "[2606:4700::1111]", "/x"),
            ("https://_dmarc.a-b.example/", "_dmarc.a-b.example", "_dmarc.a-b.example", "/"),
        ],
    )
    def test_good_ones_are_taken_apart(self, url: str, host: str, authority: str, path: str) -> None:
        target = parse(url, RULES)

        assert (target.host, target.authority, target.path) == (host, authority, path)

    @given(st.text(max_size=60))
    def test_whatever_comes_is_a_target_or_a_refusal(self, text: str) -> None:
        for url in (text, f"http://{text}", f"https://example.com/{text}"):
            try:
                target = parse(url, RULES)
            except DestinationError:
                continue
            assert target.path.isascii()
            assert target.path.isprintable()
            assert " " not in target.path + target.host


class TestSettings:
    @pytest.mark.parametrize("text", ["127.0.0.1/8", "localhost", "10.0.0.0/33", ",", "10.0.0.0/8,"])
    def test_wrong_networks_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            parse_networks(text)

    @pytest.mark.parametrize("text", ["", "0", "65536", "80,", "90-80", "a", "80-", "-80", "٨٠"])
    def test_wrong_ports_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            parse_ports(text)

    def test_ranges_and_single_ports(self) -> None:
        rules = Rules(ports=parse_ports("80, 443,8000-8100"))

        assert [port for port in (79, 80, 443, 7999, 8000, 8100, 8101) if rules.allow_port(port)] == [
            80,
            443,
            8000,
            8100,
        ]


class TestResolve:
    def resolve(self, *answers: str, name: str = "hooks.example") -> Sequence[object]:
        async def lookup(host: str) -> Sequence[str]:
            assert host == name
            return answers

        return asyncio.run(egress.resolve(parse(f"http://{name}/", RULES), RULES, lookup))

    def test_all_answers_are_checked(self) -> None:
        assert self.resolve("8.8.8.8", "1.1.1.1") == [ip_address("8.8.8.8"), ip_address("1.1.1.1")]

    @pytest.mark.parametrize(
        "answers", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], [], ["8.8.8.8"] * 101, ["fe80::1%eth0"]]
    )
    def test_one_bad_answer_refuses_all(self, answers: list[str]) -> None:
        with pytest.raises(DestinationError, match="not allowed or cannot be reached") as caught:
            self.resolve(*answers)

        assert str(caught.value.cause).startswith("hooks.example ")
        assert ("DISTRIBU_WEBHOOK_ALLOWED_NETWORKS" in caught.value.cause) is (0 < len(answers) < 101)

    def test_a_look_up_that_hangs_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(egress, "LOOKUP_SECONDS", 0.05)

        async def hang(_host: str) -> Sequence[str]:
            await asyncio.sleep(3600)
            return []

        with pytest.raises(DestinationError):
            asyncio.run(egress.resolve(parse("http://hooks.example/", RULES), RULES, hang))

    def test_the_system_knows_this_machine(self) -> None:
        assert "127.0.0.1" in asyncio.run(egress.system_lookup("localhost"))


def test_the_table_has_every_network_once() -> None:
    assert len(set(egress.CLOSED)) == len(egress.CLOSED)
    assert ip_network("169.254.0.0/16") in egress.CLOSED
