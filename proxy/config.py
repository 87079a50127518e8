"""The configuration file: what may stand in it, what it means, and every mistake in it at once.

`Config` is complete: whatever is left out has its safe default, and nothing listens on more than loopback or trusts
anybody unless the file says so. This module reads the file, and the secrets that it names when asked for them; what the
other paths point to is looked at by `kwit doctor` and by those who use them.

Durations are whole seconds, sizes are bytes, paths are absolute once loaded. A `null` is as if the key were not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from auth.mapping import compile_expression
from auth.placed_yaml import MAX_CHARACTERS, YamlError, read_yaml
from proxy.config_audit import Audit, Durability
from proxy.config_mistakes import ConfigError, Mistake, explain
from proxy.config_recordings import Recordings
from proxy.config_section import Section
from proxy.config_types import (
    MAX_WORKERS,
    Address,
    BaseUrl,
    Duration,
    HttpsUrl,
    InstallationName,
    IssuerUrl,
    ListenAddress,
    PathBesideFile,
    Text,
    Workers,
    duration_text,
    size_text,
)

MAX_CONNECTORS = 32
"""More than any company has identity providers; each costs a discovery request and keys in memory."""
MAX_SECRET_BYTES = 16_384
"""A client secret is some tens of characters; a JSON key of a provider some thousand."""
_ALONE = "write the secret into it, alone"

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

__all__ = [
    "Config",
    "ConfigError",
    "Durability",
    "Mistake",
    "Section",
    "json_schema",
    "parse_section",
    "read_client_secret",
]


class Tls(Section):
    """A serving certificate with its chain, and its key, both PEM. Re-read when the files change."""

    certificate: PathBesideFile
    """PEM file: the certificate, then its intermediates."""
    key: PathBesideFile
    """PEM file of the private key; readable by kwit alone."""


class KubeLimits(Section):
    """What one kube listener (one worker) gives away at most."""

    connections: int = Field(default=10_000, ge=1, le=1_000_000)
    """Open client connections; an idle one costs about 35 KiB."""
    connections_per_source: int = Field(default=1_000, ge=1, le=1_000_000)
    """Open client connections from one address; an office behind one address shares it."""
    handshake_timeout: Duration = Field(default=10, ge=1, le=120)
    """From accept to the end of the TLS handshake."""
    head_timeout: Duration = Field(default=10, ge=1, le=120)
    """From the first byte of a request's head to its last."""
    idle_timeout: Duration = Field(default=300, ge=5, le=86_400)
    """A connection without a request is closed after this; client-go closes its own after 90 s."""
    connect_timeout: Duration = Field(default=10, ge=1, le=120)
    """To reach an API server, TLS handshake included."""
    answer_timeout: Duration = Field(default=120, ge=5, le=3_600)
    """For an API server to begin its answer, and between two pieces of it; its own limit is 60 s (--request-timeout).
    Watches, logs and streams have none."""
    drain_timeout: Duration = Field(default=30, ge=0, le=3_600)
    """After SIGTERM, how long running requests may go on."""


class Kube(Section):
    """The kube listener: kubectl and everything that speaks the Kubernetes API, by mutual TLS."""

    address: ListenAddress = Address("127.0.0.1", 8443)
    """Where it listens."""
    url: HttpsUrl
    """How engineers reach it; goes into their kubeconfig."""
    allowed_origins: tuple[HttpsUrl, ...] = ()
    """Origins that a browser or the Python client may send besides `url` itself."""
    tls: Tls | None = None
    """Its serving certificate; left out: issued by kwit's own server CA, which `kwit login` pins."""
    limits: KubeLimits = KubeLimits()
    """What one worker gives away at most."""


class Web(Section):
    """The web listener: sign-in, certificates, the JSON API, pages."""

    address: ListenAddress = Address("127.0.0.1", 8444)
    """Where it listens."""
    url: BaseUrl
    """How people reach it; `<url>/callback/<connector>` is the redirect URI to register with each provider."""
    insecure_http: bool = Field(default=False, validate_default=True)
    """Plain HTTP, for the demo; accepted on loopback only."""
    tls: Tls | None = None
    """Its serving certificate; left out: issued by kwit's own server CA."""

    @field_validator("insecure_http")
    @classmethod
    def _only_on_loopback(cls, value: bool, info: ValidationInfo) -> bool:
        url, listen = info.data.get("url"), info.data.get("address")
        if value and listen is not None and not listen.is_loopback:
            raise ValueError(f"false: plain HTTP is for loopback, and web.address is {listen}")
        if not value and url is not None and url.startswith("http://"):
            raise ValueError("true, because web.url begins with http://; or write an https:// URL there")
        return value

    @field_validator("tls")
    @classmethod
    def _not_both(cls, value: Tls | None, info: ValidationInfo) -> Tls | None:
        if value is not None and info.data.get("insecure_http"):
            raise ValueError("left out, since insecure_http is true; remove one of them")
        return value


class Operations(Section):
    """The operations listener: /livez, /readyz, /metrics. It asks nobody who they are."""

    address: ListenAddress = Address("127.0.0.1", 9440)
    """Where it listens; loopback unless the scraper is elsewhere."""


class LoginTimes(Section):
    """How long things last (design: a certificate proves a key, the live login decides)."""

    login_ttl: Duration = Field(default=36_000, ge=60, le=7 * 86_400)
    """From sign-in to the next one."""
    certificate_ttl: Duration = Field(default=3_600, ge=60, le=86_400)
    """Life of one client certificate; renewed silently at four fifths of it."""
    groups_max_age: Duration = Field(default=3_600, ge=60, le=86_400)
    """How long the last groups stand while the provider is silent."""
    groups_refresh: Duration = Field(default=300, ge=10, le=86_400)
    """How often groups are re-read from the provider for each active login."""

    @field_validator("certificate_ttl")
    @classmethod
    def _within_the_login(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("login_ttl", value):
            raise ValueError("at most login_ttl: a certificate cannot outlive the login behind it")
        return value

    @field_validator("groups_refresh")
    @classmethod
    def _before_they_are_stale(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("groups_max_age", value):
            raise ValueError("at most groups_max_age: else every login goes stale between two readings")
        return value


class State(Section):
    """Logins, certificates' serials, locks."""

    path: PathBesideFile | None = None
    """SQLite file; left out: state.db in data_dir."""
    max_age: Duration = Field(default=60, ge=5, le=600)
    """A worker whose copy of logins and locks is older refuses everything."""


class ClaimMapping(Section):
    """Claims to identity, as CEL expressions over `claims`."""

    username: Text = "claims.email"
    """Text: what clusters and records call the person."""
    groups: Text = "claims.groups"
    """List of text; write `[]` where the provider has none."""
    email: Text | None = None
    """Text; left out: the claim `email` if it is there."""

    @field_validator("username", "groups", "email")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compile_expression(value)
        return value


class Connector(Section):
    """What every identity provider has."""

    name: InstallationName
    """Short name: in URLs, records and role bindings. Renaming it makes everybody a new person."""
    display_name: Text | None = None
    """What the sign-in page calls it; left out: the name."""
    client_id: Text
    """As registered with the provider."""
    client_secret_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Environment variable that holds the client secret; or use client_secret_file."""
    client_secret_file: PathBesideFile | None = Field(default=None, validate_default=True)
    """File that holds the client secret and nothing else."""
    ca_file: PathBesideFile | None = None
    """PEM file of the CA to trust for this provider instead of the system's."""

    @field_validator("client_secret_file")
    @classmethod
    def _one_source(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "client_secret_env" in info.data and (value is None) == (info.data["client_secret_env"] is None):
            raise ValueError("exactly one of client_secret_file and client_secret_env; never the secret itself")
        return value


class OidcConnector(Connector):
    """Any OpenID provider that has discovery."""

    type: Literal["oidc"]
    """oidc"""
    issuer: IssuerUrl
    """Exactly as in the provider's discovery document."""
    scopes: tuple[Text, ...] = ("openid", "profile", "email", "groups")
    """What is asked for; add offline_access where refresh tokens need it."""
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "PS256", "EdDSA")
    """Signatures accepted on ID tokens; none and HS* cannot be named."""
    mapping: ClaimMapping = ClaimMapping()
    """How claims become a person."""

    @field_validator("scopes")
    @classmethod
    def _asks_for_an_id_token(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("a list with openid in it: without it there is no ID token")
        return value

    @field_validator("algorithms")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"at least one of {', '.join(get_args(Algorithm))}")
        return value


class GithubConnector(Connector):
    """GitHub by OAuth 2: organisations and teams become groups `org` and `org/team`."""

    type: Literal["github"]
    """github"""
    organizations: tuple[Text, ...] = Field(default=(), validate_default=True)
    """Members of these may sign in; at least one, since everybody in the world has a GitHub account."""
    base_url: BaseUrl = "https://github.com"
    """For GitHub Enterprise Server, its URL."""

    @field_validator("organizations")
    @classmethod
    def _not_the_world(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one organisation: everybody in the world has a GitHub account")
        return value


AnyConnector = Annotated[OidcConnector | GithubConnector, Field(discriminator="type")]


class Config(Section):
    """One kwit server."""

    installation: InstallationName
    """This installation's name; stands in every certificate, so that two installations never accept each other's."""
    data_dir: PathBesideFile = Field(default=Path("kwit-data"), validate_default=True)
    """Everything kwit writes: CA keys, state, log. Mode 0700."""
    kube: Kube
    """The kube listener."""
    web: Web
    """The web listener."""
    operations: Operations = Field(default=Operations(), validate_default=True)
    """The operations listener."""
    login: LoginTimes = LoginTimes()
    """How long logins, certificates and groups last."""
    state: State = State()
    """Where logins and locks are kept."""
    connectors: tuple[AnyConnector, ...] = Field(default=(), max_length=MAX_CONNECTORS, validate_default=True)
    """Identity providers; at least one."""
    clusters_dir: PathBesideFile = Field(default=Path("clusters"), validate_default=True)
    """One YAML file per cluster, as `kwit cluster add` writes them; reloaded on change."""
    roles_dir: PathBesideFile = Field(default=Path("roles"), validate_default=True)
    """Role and RoleBinding files; reloaded on change. No roles: everything is refused."""
    audit: Audit = Audit()
    """The audit log."""
    recordings: Recordings = Recordings()
    """What is kept of shells, attaches and copies."""
    workers: Workers = 1
    """Processes that serve the kube listener, or auto: one for each core that kwit may use."""

    @classmethod
    def load(cls, path: Path) -> Config:
        """The configuration in the file at `path`. Raises ConfigError with all its mistakes."""
        return cls.parse(read_text(path), path=path)

    @classmethod
    def parse(cls, text: str, *, path: Path) -> Config:
        """`text`, as if it stood in the file at `path`. Raises ConfigError with all its mistakes."""
        return parse_section(cls, text, path=path)

    @property
    def worker_count(self) -> int:
        if not isinstance(self.workers, int):
            return min(len(os.sched_getaffinity(0)), MAX_WORKERS) if hasattr(os, "sched_getaffinity") else 1
        return self.workers

    @property
    def audit_directory(self) -> Path:
        return self.audit.directory or self.data_dir / "audit"

    @property
    def recordings_directory(self) -> Path:
        return self.recordings.directory or self.data_dir / "recordings"

    @property
    def state_path(self) -> Path:
        return self.state.path or self.data_dir / "state.db"

    @property
    def ca_directory(self) -> Path:
        return self.data_dir / "ca"

    @field_validator("web")
    @classmethod
    def _not_kubes_address(cls, value: Web, info: ValidationInfo) -> Web:
        kube = info.data.get("kube")
        if kube is not None and _collide(kube.address, value.address):
            raise ValueError(f"an address of its own: kube.address {kube.address} takes {value.address}")
        return value

    @field_validator("operations")
    @classmethod
    def _address_of_its_own(cls, value: Operations, info: ValidationInfo) -> Operations:
        for section in ("kube", "web"):
            other = info.data.get(section)
            if other is not None and _collide(other.address, value.address):
                raise ValueError(f"an address of its own: {section}.address {other.address} takes {value.address}")
        return value

    @field_validator("connectors")
    @classmethod
    def _somebody_can_sign_in(cls, value: tuple[AnyConnector, ...]) -> tuple[AnyConnector, ...]:
        if not value:
            raise ValueError("at least one identity provider, or nobody can sign in")
        names = [connector.name for connector in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"a name of its own for each connector: {', '.join(twice)} stands twice")
        return value


AnySection = TypeVar("AnySection", bound=BaseModel)


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises ConfigError when it cannot be read or is no UTF-8."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_CHARACTERS + 1).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError([Mistake(str(path), 0, "", "", "there is no such file; `kwit init` writes one")]) from error
    except OSError as error:
        raise ConfigError([Mistake(str(path), 0, "", "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Mistake(str(path), 0, "", "", "is not UTF-8 text")]) from error


def parse_section(model: type[AnySection], text: str, *, path: Path) -> AnySection:
    """`text`, as if it stood in the file at `path`, read as `model`. Raises ConfigError with all its mistakes."""
    try:
        document = read_yaml(text)
    except YamlError as error:
        raise ConfigError([Mistake(str(path), error.line, "", "", error.message)]) from error
    data = _without_nulls(document.value)
    try:
        return model.model_validate(data, context={"base": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(explain(error, document, data, model, path)) from error


def read_client_secret(connector: Connector, environ: Mapping[str, str]) -> str:
    """The client secret of `connector`, from its file or from `environ`. Raises ConfigError."""

    def mistake(key: str, expected: str) -> ConfigError:
        return ConfigError([Mistake(f"connector {connector.name}", 0, key, "", expected)])

    if connector.client_secret_file is None:
        name = str(connector.client_secret_env)
        secret = environ.get(name, "")
        if not secret:
            raise mistake("client_secret_env", f"the environment variable {name} is not set; set it, or use a file")
        return secret
    try:
        with connector.client_secret_file.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES + 1).decode().strip()
    except OSError as error:
        why = f"{connector.client_secret_file} cannot be read: {error.strerror}"
        raise mistake("client_secret_file", f"{why}; put the client secret there, readable by kwit alone") from error
    except UnicodeDecodeError as error:
        raise mistake("client_secret_file", f"{connector.client_secret_file} is not text; {_ALONE}") from error
    if not secret or len(secret) > MAX_SECRET_BYTES:
        raise mistake(
            "client_secret_file",
            f"{connector.client_secret_file} is empty or too long; {_ALONE}",
        )
    return secret


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration file as data, its defaults written as people write them."""
    schema: dict[str, Any] = _defaults_as_written(Config.model_json_schema(mode="validation"))
    return schema


def json_schema() -> str:
    """The JSON Schema of the configuration file, for editors."""
    schema = config_schema()
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _defaults_as_written(node: Any) -> Any:
    """Durations and sizes as text, as a person writes them; a whole section's default is said by its own keys."""
    if isinstance(node, list):
        return [_defaults_as_written(child) for child in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _defaults_as_written(child) for key, child in node.items()}
    default = schema.get("default")
    if isinstance(default, int) and schema.get("type") == "string":
        schema["default"] = size_text(default) if "KiB" in schema["pattern"] else duration_text(default)
    elif isinstance(default, dict) and schema.get("type") == "string":
        schema["default"] = str(Address(**default))
    elif isinstance(default, dict):
        del schema["default"]
    return schema


def _without_nulls(value: object) -> object:
    """A key without a value is as if it were commented out, which is how it comes about; so is a section of such."""
    if isinstance(value, dict):
        kept = {key: _without_nulls(child) for key, child in value.items() if child is not None}
        return {key: child for key, child in kept.items() if child != {} or value[key] == {}}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    return value


def _collide(one: Address, other: Address) -> bool:
    if one.port != other.port or one.port == 0:
        return False
    return one.host == other.host or one.is_every_interface or other.is_every_interface
