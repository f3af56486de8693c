"""Where webhooks may connect to: every form of every address that must be refused, and name resolution."""

import asyncio
import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import egress
from app.egress import DestinationError, EgressPolicy, check_characters, parse, parse_ports
from app.networks import parse_networks

POLICY = EgressPolicy()
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
    def test_special_addresses_are_refused(self, address: str) -> None:
        assert not POLICY.allows(ip_address(address))
        with pytest.raises(DestinationError, match="not public"):
            parse(in_url(address), POLICY)

    @pytest.mark.parametrize("address", ALLOWED)
    def test_public_addresses_are_allowed(self, address: str) -> None:
        assert POLICY.allows(ip_address(address))
        assert parse(in_url(address), POLICY).address == ip_address(address)

    def test_the_operator_can_allow_networks(self) -> None:
        policy = EgressPolicy(networks=parse_networks("127.0.0.0/8, fd00::/8"))

        for address in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1"):
            assert policy.allows(ip_address(address))
        for address in ("10.0.0.1", "::1", "64:ff9b::7f00:1"):
            assert not policy.allows(ip_address(address))

    @given(st.ip_addresses())
    def test_an_address_that_the_standard_library_calls_private_is_refused(self, address: object) -> None:
        allowed = POLICY.allows(address)  # type: ignore[arg-type]

        if allowed and getattr(address, "ipv4_mapped", None) is None:
            assert address.is_global  # type: ignore[attr-defined]
            assert not address.is_multicast  # type: ignore[attr-defined]


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            *((f"http://{host}/", "not an IPv4") for host in ("2130706433", "0177.0.0.1", "0x7f.1", "127.1")),
            *((f"http://{host}/", "not an IPv4") for host in ("0x7f000001", "1.2.3", "1.2.3.4.5", "a.0x1")),
            *(
                (f"http://{host}/", "not an IPv4")
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
    def test_an_invalid_url_is_refused_with_the_reason(self, url: str, words: str) -> None:
        with pytest.raises(DestinationError, match=words):
            parse(url, POLICY)

    @pytest.mark.parametrize("character", '"<>^`{|}[] \\')
    @pytest.mark.parametrize("template", ["path/{}", "path?query={}", "#fragment{}"])
    def test_a_forbidden_character_is_named_with_its_percent_encoding(self, character: str, template: str) -> None:
        with pytest.raises(DestinationError) as caught:
            check_characters("https://example.com/" + template.replace("{}", character))

        assert str(caught.value) == f"url must not contain '{character}'. Write it as %{ord(character):02X}."

    @pytest.mark.parametrize("character", '"<>^`{|} \\')
    def test_a_forbidden_character_in_the_host_is_named(self, character: str) -> None:
        with pytest.raises(DestinationError, match=r"^url must not contain '.' before its path\.$"):
            check_characters(f"https://exam{character}ple.com/path")

    @pytest.mark.parametrize(("character", "code"), [("\t", "U+0009"), ("\u202e", "U+202E"), ("\u00a0", "U+00A0")])
    def test_an_invisible_character_is_named_by_its_code_point(self, character: str, code: str) -> None:
        with pytest.raises(DestinationError, match=rf" Remove {re.escape(code)}\.$"):
            parse(f"https://example.com/{character}", POLICY)

    @pytest.mark.parametrize("path", ["100%", "%zz", "a%2", "?a=%", "%%20"])
    def test_an_incomplete_percent_encoding_is_named(self, path: str) -> None:
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
    def test_the_characters_of_rfc_3986_are_accepted(self, url: str) -> None:
        check_characters(url)

    def test_the_cause_names_the_setting_and_the_message_does_not(self) -> None:
        for url, setting in (
            ("http://example.com:8080/", "port 8080 is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS"),
            ("http://10.0.0.1/", "10.0.0.1, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"),
        ):
            with pytest.raises(DestinationError) as caught:
                parse(url, POLICY)
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
    def test_a_valid_url_is_parsed(self, url: str, host: str, authority: str, path: str) -> None:
        target = parse(url, POLICY)

        assert (target.host, target.authority, target.path) == (host, authority, path)

    @given(st.text(max_size=60))
    def test_any_text_is_either_parsed_or_refused(self, text: str) -> None:
        for url in (text, f"http://{text}", f"https://example.com/{text}"):
            try:
                target = parse(url, POLICY)
            except DestinationError:
                continue
            assert target.path.isascii()
            assert target.path.isprintable()
            assert " " not in target.path + target.host


class TestSettings:
    @pytest.mark.parametrize("text", ["127.0.0.1/8", "localhost", "10.0.0.0/33", ",", "10.0.0.0/8,"])
    def test_invalid_networks_are_rejected(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            parse_networks(text)

    @pytest.mark.parametrize("text", ["", "0", "65536", "80,", "90-80", "a", "80-", "-80", "٨٠"])
    def test_invalid_ports_are_rejected(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".*"):
            parse_ports(text)

    def test_ports_and_port_ranges_are_combined(self) -> None:
        policy = EgressPolicy(ports=parse_ports("80, 443,8000-8100"))

        assert [port for port in (79, 80, 443, 7999, 8000, 8100, 8101) if policy.allows_port(port)] == [
            80,
            443,
            8000,
            8100,
        ]


class TestResolve:
    def resolve(self, *addresses: str, name: str = "hooks.example") -> Sequence[object]:
        async def lookup(host: str) -> Sequence[str]:
            assert host == name
            return addresses

        return asyncio.run(egress.resolve(parse(f"http://{name}/", POLICY), POLICY, lookup))

    def test_every_address_is_checked(self) -> None:
        assert self.resolve("8.8.8.8", "1.1.1.1") == [ip_address("8.8.8.8"), ip_address("1.1.1.1")]

    @pytest.mark.parametrize(
        "addresses",
        [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], [], ["8.8.8.8"] * 101, ["fe80::1%eth0"]],
    )
    def test_one_forbidden_address_refuses_all(self, addresses: list[str]) -> None:
        with pytest.raises(DestinationError, match="not allowed or cannot be reached") as caught:
            self.resolve(*addresses)

        assert str(caught.value.cause).startswith("hooks.example ")
        assert ("DISTRIBU_WEBHOOK_ALLOWED_NETWORKS" in caught.value.cause) is (0 < len(addresses) < 101)

    def test_a_lookup_that_hangs_times_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(egress, "LOOKUP_SECONDS", 0.05)

        async def hang(_host: str) -> Sequence[str]:
            await asyncio.sleep(3600)
            return []

        with pytest.raises(DestinationError):
            asyncio.run(egress.resolve(parse("http://hooks.example/", POLICY), POLICY, hang))

    def test_the_system_resolver_knows_localhost(self) -> None:
        assert "127.0.0.1" in asyncio.run(egress.system_lookup("localhost"))


def test_every_special_network_is_listed_once() -> None:
    assert len(set(egress.SPECIAL_NETWORKS)) == len(egress.SPECIAL_NETWORKS)
    assert ip_network("169.254.0.0/16") in egress.SPECIAL_NETWORKS
