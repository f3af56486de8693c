"""Settings: read once from the environment and `.env`, checked, and frozen.

An invalid value raises StartError with one line that names the variable and the values that it accepts.
"""

import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import limits
from dotenv import dotenv_values
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app import address, egress, networks
from app.errors import StartError

VARIABLE_PREFIX = "DISTRIBU_"
DATA_DIRECTORY = Path("data")
SECRET_SUFFIXES = ("_URL", "_STORAGE")  # of variables that may contain a password, which is never shown
MAX_RETRIES = 50
MAX_RETRY_WAIT_SECONDS = 604_800  # a week
MAX_SHOWN_CHARACTERS = 100  # of an invalid value
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SYNCHRONOUS_MODES = ("FULL", "NORMAL")


def _database_url(text: str) -> URL:
    url = make_url(text)
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database:
        return url
    raise ValueError


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text):
            raise ValueError(text)
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.upper() not in choices:
            raise ValueError
        return text.upper()

    return parse


def rate_limit(text: str) -> limits.RateLimitItem:
    """Parse `60/minute`. Raises ValueError unless it is one limit of 1 to 10,000,000 requests within a day."""
    (item,) = limits.parse_many(text)
    if re.search(r"\b0+ ?[a-z]", text):  # the library reads "60/0 minutes" as "60/minute"
        raise ValueError(text)
    if not (1 <= item.amount <= 10_000_000 and item.get_expiry() <= 86_400):
        raise ValueError(text)
    return item


def _storage(text: str) -> str:
    url = urlsplit(text)
    is_redis = url.scheme in {"redis", "rediss"} and bool(url.hostname) and not url.query
    if text != "memory://" and not (is_redis and re.fullmatch("(/[0-9]{0,3})?", url.path) and url.port != 0):
        raise ValueError
    return text


def _retry_schedule(text: str) -> tuple[int, ...]:
    waits = tuple(_whole_number(0, MAX_RETRY_WAIT_SECONDS)(wait.strip()) for wait in text.split(","))
    if len(waits) > MAX_RETRIES:
        raise ValueError
    return waits


def _ca_file(text: str) -> Path | None:
    if not text:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(text)
    except OSError as error:  # ssl.SSLError is a subclass
        raise ValueError(text) from error
    if not context.cert_store_stats()["x509"]:
        raise ValueError(text)
    return Path(text)


def _host(text: str) -> str:
    text.encode("idna")  # raises a ValueError for a name that no resolver accepts
    if any(character.isspace() for character in text):
        raise ValueError
    return text


def setting(default: str, parse: Callable[[str], Any], accepts: str) -> Any:
    """Describe a field of Settings: its default as text, its parser, and the error text for an invalid value."""
    return field(metadata={"default": default, "parse": parse, "accepts": accepts})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting with its type. `.env.example` explains them to operators."""

    database_url: URL = setting(
        f"sqlite:///{DATA_DIRECTORY}/distribu.sqlite3",
        _database_url,
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME",
    )
    host: str = setting("127.0.0.1", _host, "a host name or an address to listen on")
    port: int = setting("8000", _whole_number(1, 65535), "a port number from 1 to 65535")
    public_url: str = setting(
        "",
        address.parse_public,
        "the http or https address of the server without /api/v1, like https://shop.example/shop",
    )
    trusted_proxies: tuple[networks.Network, ...] = setting(
        "",
        networks.parse_networks,
        "addresses and networks in CIDR notation, separated by commas, like 10.0.0.5,192.168.7.0/24",
    )
    workers: int = setting("1", _whole_number(1, 64), "a number of processes from 1 to 64")
    rate_limit: limits.RateLimitItem = setting(
        "60/minute", rate_limit, "a number of requests per period, like 60/minute"
    )
    rate_limit_storage: str = setting("memory://", _storage, "memory:// or redis://HOST:PORT/NUMBER")
    webhook_allowed_networks: tuple[networks.Network, ...] = setting(
        "", networks.parse_networks, "networks in CIDR notation, separated by commas, like 127.0.0.0/8,10.1.0.0/16"
    )
    webhook_allowed_ports: tuple[range, ...] = setting(
        "80,443", egress.parse_ports, "port numbers and ranges, separated by commas, like 80,443,8000-8100"
    )
    webhook_ca_file: Path | None = setting(
        "", _ca_file, "the path of a readable PEM file with the certificates of authorities"
    )
    webhook_retry_schedule: tuple[int, ...] = setting(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        _retry_schedule,
        f"1 to {MAX_RETRIES} waits in seconds of at most {MAX_RETRY_WAIT_SECONDS}, separated by commas,"
        " like 5,300,1800",
    )
    sqlite_synchronous: str = setting("FULL", _one_of(*SYNCHRONOUS_MODES), " or ".join(SYNCHRONOUS_MODES))
    log_level: str = setting("INFO", _one_of(*LOG_LEVELS), ", ".join(LOG_LEVELS))
    metrics_port: int = setting(
        "0", _whole_number(0, 65535), "a port number for /metrics alone, or 0 for the port of the API"
    )

    @property
    def site_url(self) -> str:
        """Return the public address, or the one at which this machine reaches the server."""
        return self.public_url or address.listening(self.host, self.port)

    @property
    def egress_policy(self) -> egress.EgressPolicy:
        """Return the policy that decides where webhooks may connect to."""
        return egress.EgressPolicy(networks=self.webhook_allowed_networks, ports=self.webhook_allowed_ports)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read `environment`, by default the process environment on top of `.env` in the working directory.

        Raises StartError for a value that is not accepted.
        """
        values = _variables() if environment is None else environment
        return cls(**{field.name: _read(values, _variable(field.name), field.metadata) for field in fields(cls)})


def unknown_variables() -> list[str]:
    """Return the names of variables with our prefix that are not settings: misspelled, or of another version."""
    known = {_variable(field.name) for field in fields(Settings)}
    return sorted(name for name in _variables() if name.startswith(VARIABLE_PREFIX) and name not in known)


def _variable(field_name: str) -> str:
    return VARIABLE_PREFIX + field_name.upper()


def _variables() -> dict[str, str]:
    return {**_dotenv(), **os.environ}


def _read(values: Mapping[str, str], name: str, rule: Mapping[str, Any]) -> Any:
    text = values.get(name, "").strip() or rule["default"]
    try:
        return rule["parse"](text)
    except (ValueError, ArgumentError):
        shown = (
            "has a value that is" if name.endswith(SECRET_SUFFIXES) else f"is '{text[:MAX_SHOWN_CHARACTERS]}', which is"
        )
        raise StartError(f"{name} {shown} not valid. Expected {rule['accepts']}.") from None


def _dotenv() -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(".env").items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"The file .env cannot be read as UTF-8 text: {error}.") from error
