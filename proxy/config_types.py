"""What people write in a configuration file for time, size, place and name, and what it becomes.

Each parser is a function from what YAML gave to a value that cannot be wrong; it raises ValueError with a sentence that
shows how the right thing is written. The annotated types below put them into pydantic models and into the JSON Schema.
Durations become whole seconds, sizes bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

AUTO = "auto"
MAX_WORKERS = 256
"""One for each core at most; there are machines of 256."""
MAX_DURATION_SECONDS = 366 * 86_400
"""Nothing that is configured lasts longer than a year."""
MAX_URL_CHARACTERS = 2_048
MAX_SIZE_BYTES = 1 << 50

_DURATION = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_SIZE = re.compile(r"(\d{1,16})(B|KiB|MiB|GiB|TiB)")
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):(\d{1,5})")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CLUSTER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_LOOPBACK_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds. `host` has no brackets; port 0 asks the kernel for a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def is_every_interface(self) -> bool:
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def duration(value: object) -> int:
    """Seconds of `10h`, `90s`, `1h30m`. Raises ValueError."""
    if isinstance(value, str) and value and (match := _DURATION.fullmatch(value.strip())) and any(match.groups()):
        seconds = sum(int(amount or 0) * unit for amount, (_, unit) in zip(match.groups(), _UNITS, strict=True))
        if seconds > MAX_DURATION_SECONDS:
            raise ValueError("a duration of at most 366d")
        return seconds
    raise ValueError("a duration with its unit, such as 90s, 5m, 10h or 1h30m")


def duration_text(seconds: int) -> str:
    """The shortest text that `duration` reads as `seconds`."""
    parts = []
    for unit, length in _UNITS:
        amount, seconds = divmod(seconds, length)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def size(value: object) -> int:
    """Bytes of `64KiB`. KB and MB are refused, since they mean two things. Raises ValueError."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number = int(match[1]) * _SIZES[match[2]]
        if number <= MAX_SIZE_BYTES:
            return number
    raise ValueError("a size with its unit (B, KiB, MiB, GiB or TiB), such as 64KiB")


def size_text(number: int) -> str:
    """The text with the largest unit that `size` reads as `number`."""
    for unit, length in reversed(_SIZES.items()):
        if number and number % length == 0:
            return f"{number // length}{unit}"
    return f"{number}B"


def workers(value: object) -> int | str:
    """A number of processes, or `auto`. Raises ValueError."""
    if value == AUTO or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_WORKERS):
        return value
    raise ValueError(f"a number from 1 to {MAX_WORKERS}, or auto: one for each core")


def address(value: object) -> Address:
    """HOST:PORT, IPv6 in brackets. A missing host is refused: every interface is written out. Raises ValueError."""
    if isinstance(value, Address):
        return value
    if isinstance(value, str) and (match := _ADDRESS.fullmatch(value.strip())):
        host, port = match[1], int(match[2])
        if port <= 65_535 and (not host.startswith("[") or _is_ip(host[1:-1])):
            return Address(host.strip("[]"), port)
    raise ValueError("HOST:PORT, such as 127.0.0.1:8443, [::1]:8443, or 0.0.0.0:8443 for every interface")


def https_url(value: object) -> str:
    """An https URL of scheme, host and perhaps port: where a listener is reached. Raises ValueError."""
    return _url(value, schemes=("https",), path=False)


def base_url(value: object) -> str:
    """As https_url, or http on loopback (the demo). Raises ValueError."""
    return _url(value, schemes=("https", "http"), path=False)


def issuer_url(value: object) -> str:
    """An OpenID issuer, exactly as written: it is compared character by character with `iss`. Raises ValueError."""
    return _url(value, schemes=("https", "http"), path=True)


def server_url(value: object) -> str:
    """An API server: https, perhaps with a path prefix; no slash at the end. Raises ValueError."""
    return _url(value, schemes=("https",), path=True).rstrip("/")


def is_loopback(host: str) -> bool:
    return host in _LOOPBACK_NAMES or (_is_ip(host) and ip_address(host).is_loopback)


def installation_name(value: object) -> str:
    """A DNS label: it stands in every certificate's URI SAN. Raises ValueError."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("a name of at most 63 lower-case letters, digits and hyphens, such as example")


def cluster_name(value: object) -> str:
    """What a cluster is called in URLs, certificates, file names and contexts. Raises ValueError."""
    if isinstance(value, str) and _CLUSTER_NAME.fullmatch(value) and ".." not in value:
        return value
    raise ValueError(
        "a name of at most 63 lower-case letters, digits, dots and hyphens that begins and ends with a letter or digit"
    )


def path_from(value: object, base: Path) -> Path:
    """A path as the file means it: relative ones start at the file's own directory. Raises ValueError."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("a path; a relative one starts at the directory of this file")
    return base / Path(value).expanduser()


def _resolved(value: object, info: ValidationInfo) -> Path:
    context = info.context if isinstance(info.context, dict) else {}
    return path_from(value, context.get("base", Path()))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _url(value: object, *, schemes: tuple[str, ...], path: bool) -> str:
    expected = f"a URL such as https://host.example.com{'/path' if path else ''}"
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS or not value.isascii() or not value.isprintable():
        raise ValueError(expected)
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(expected) from error
    if parts.scheme not in schemes or not host or port == 0 or " " in value or "\\" in value:
        raise ValueError(expected)
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValueError(f"{expected}, without user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("https: plain http is accepted on loopback only")
    if not path and parts.path not in {"", "/"}:
        raise ValueError(f"{expected}, without a path")
    return value if path else value.rstrip("/")


def _plain_text(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("text without control characters and without blanks at its ends")
    return value


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Duration = Annotated[
    int,
    BeforeValidator(duration),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    _text(r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", "90s", "5m", "10h"),
]
Size = Annotated[
    int,
    BeforeValidator(size),
    PlainSerializer(size_text, return_type=str, when_used="json"),
    _text(r"^\d+(B|KiB|MiB|GiB|TiB)$", "64KiB", "256MiB"),
]
Workers = Annotated[
    int | Literal["auto"],
    BeforeValidator(workers),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}, {"const": AUTO}]}),
]
ListenAddress = Annotated[
    Address,
    BeforeValidator(address),
    PlainSerializer(str, return_type=str, when_used="json"),
    _text(r"^.+:\d{1,5}$", "127.0.0.1:8443", "0.0.0.0:8443"),
]
HttpsUrl = Annotated[str, BeforeValidator(https_url), _text("^https://[^/?#]+/?$", "https://kube.example.com:8443")]
BaseUrl = Annotated[str, BeforeValidator(base_url), _text("^https?://[^/?#]+/?$", "https://kwit.example.com")]
IssuerUrl = Annotated[str, BeforeValidator(issuer_url), _text("^https?://", "https://login.example.com")]
ServerUrl = Annotated[str, BeforeValidator(server_url), _text("^https://", "https://10.0.0.1:6443")]
InstallationName = Annotated[str, BeforeValidator(installation_name), _text(f"^{_NAME.pattern}$", "example")]
ClusterName = Annotated[str, BeforeValidator(cluster_name), _text(f"^{_CLUSTER_NAME.pattern}$", "staging-eu")]
PathBesideFile = Annotated[Path, BeforeValidator(_resolved), WithJsonSchema({"type": "string"})]
Text = Annotated[str, AfterValidator(_plain_text)]
