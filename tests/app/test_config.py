"""Settings: every wrong value is one line that names the variable and what it accepts, and shows no password."""

import certifi
import pytest

from app.config import Settings
from app.errors import StartError

WRONG = [
    ("DATABASE_URL", "mysql://x/y"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "postgresql://u:secretpw@h:port/x"),
    ("HOST", "two words"),
    ("HOST", "a..b"),
    ("HOST", "x" * 300),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "8_000"),
    ("PORT", "٨٠"),
    ("PORT", "http"),
    ("PUBLIC_URL", "shop.example"),
    ("PUBLIC_URL", "/shop"),
    ("PUBLIC_URL", "ftp://shop.example"),
    ("PUBLIC_URL", "https://"),
    ("PUBLIC_URL", "https://shop.example:99999"),
    ("PUBLIC_URL", "https://u:secretpw@shop.example"),
    ("PUBLIC_URL", "https://shop.example/?x=1"),
    ("PUBLIC_URL", "https://shop.example/#x"),
    ("PUBLIC_URL", "https://shop.example/a b"),
    ("PUBLIC_URL", "https://shop.example/shop/api/v1"),
    ("PUBLIC_URL", "https://shop.example/a/../b"),
    ("PUBLIC_URL", "https://shop.example/shop/."),
    ("PUBLIC_URL", "https://shop.example/\r\nX: y"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("TRUSTED_PROXIES", "10.0.0.0/33"),
    ("TRUSTED_PROXIES", "10.0.0.1,"),
    ("TRUSTED_PROXIES", "*"),
    ("WORKERS", "0"),
    ("WORKERS", "many"),
    ("RATE_LIMIT", "lots"),
    ("RATE_LIMIT", "0/minute"),
    ("RATE_LIMIT", "60/0minute"),
    ("RATE_LIMIT", "60/minute;100/hour"),
    ("RATE_LIMIT", "60/year"),
    ("RATE_LIMIT_STORAGE", "memcached://x"),
    ("RATE_LIMIT_STORAGE", "redis://a:b:c"),
    ("RATE_LIMIT_STORAGE", "redis://h:99999/0"),
    ("RATE_LIMIT_STORAGE", "redis://[::1"),
    ("RATE_LIMIT_STORAGE", "redis://h/abc"),
    ("RATE_LIMIT_STORAGE", "redis://u:secretpw@h:xx"),
    ("RATE_LIMIT_STORAGE", "redis://h:1/0?socket_timeout=abc"),
    ("SQLITE_SYNCHRONOUS", "OFF"),
    ("LOG_LEVEL", "LOUD"),
    ("METRICS_PORT", "-1"),
    ("WEBHOOK_CA_FILE", "/nowhere.pem"),
    ("WEBHOOK_CA_FILE", "/etc"),
    ("WEBHOOK_CA_FILE", "/dev/null"),
    ("WEBHOOK_CA_FILE", __file__),
    ("WEBHOOK_CA_FILE", "a\x00b"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(StartError) as caught:
        Settings.from_environment({f"DISTRIBU_{name}": value})

    message = str(caught.value)
    assert message.startswith(f"DISTRIBU_{name} ")
    assert "Expected " in message
    assert "\n" not in message
    assert "secretpw" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:p@h:5432/x"),
        ("DATABASE_URL", "sqlite:////srv/a#b%41.sqlite3"),
        ("HOST", "0.0.0.0"),
        ("HOST", "::1"),
        ("PUBLIC_URL", "http://[::1]:8000"),
        ("PUBLIC_URL", "https://shop.example/a/b_c~d"),
        ("RATE_LIMIT", "600/hour"),
        ("RATE_LIMIT", "10 per 5 seconds"),
        ("RATE_LIMIT_STORAGE", "redis://h:6379/1"),
        ("RATE_LIMIT_STORAGE", "rediss://u:p@h"),
        ("TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16,2001:db8::/32"),
        ("LOG_LEVEL", "debug"),
        ("SQLITE_SYNCHRONOUS", "normal"),
        ("WEBHOOK_CA_FILE", certifi.where()),
    ],
)
def test_a_valid_value_is_accepted(name: str, value: str) -> None:
    assert Settings.from_environment({f"DISTRIBU_{name}": value})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"HOST": "0.0.0.0", "PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HOST": "::"}, "http://[::1]:8000"),
        ({"HOST": "fe80::1%eth0"}, "http://[fe80::1%25eth0]:8000"),
        ({"HOST": "::ffff:10.1.2.3"}, "http://10.1.2.3:8000"),
        ({"HOST": "shop.internal"}, "http://shop.internal:8000"),
        ({"PUBLIC_URL": "https://shop.example/"}, "https://shop.example"),
        ({"PUBLIC_URL": "https://shop.example/shop/", "PORT": "9000"}, "https://shop.example/shop"),
    ],
)
def test_the_address_is_the_public_one_or_that_of_the_socket(values: dict[str, str], expected: str) -> None:
    assert Settings.from_environment({f"DISTRIBU_{name}": value for name, value in values.items()}).site_url == expected


def test_an_empty_variable_is_the_default() -> None:
    assert Settings.from_environment({"DISTRIBU_PORT": " "}).port == 8000
