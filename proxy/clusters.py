"""The clusters behind kwit: one YAML file each, read, checked, and reloaded when they change.

A file that cannot be read keeps the cluster as it last was, and `ClusterRegistry.problems` says why; a file that is
gone takes its cluster with it. What a credential is: `proxy.cluster_credentials`. How it is used: `proxy.upstream`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from proxy.cluster_credentials import (
    CertificateFiles,
    CredentialError,
    Credentials,
    Source,
    TokenFile,
    read_bounded,
    tls_context,
)
from proxy.cluster_kubeconfig import read_context
from proxy.config import ConfigError, Mistake, Section, parse_section, read_text
from proxy.config_types import ClusterName, PathBesideFile, ServerUrl, Text

MAX_CLUSTERS = 10_000
"""What one shard serves (design: ten thousand clusters are several shards)."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds its own account: token, ca.crt."""
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"


class InCluster(Section):
    """The service account of the pod that kwit runs in."""

    kind: Literal["in_cluster"]
    """in_cluster"""
    directory: PathBesideFile = SERVICE_ACCOUNT
    """Where token and ca.crt are mounted."""


class TokenFromFile(Section):
    """A bearer token in a file of its own, re-read as it rotates."""

    kind: Literal["token_file"]
    """token_file"""
    path: PathBesideFile
    """The file with the token and nothing else."""


class ClientCertificate(Section):
    """A client certificate with its key."""

    kind: Literal["client_certificate"]
    """client_certificate"""
    certificate: PathBesideFile
    """PEM file: the certificate, then its intermediates."""
    key: PathBesideFile
    """PEM file of the private key, without a passphrase."""


class Kubeconfig(Section):
    """A context of a kubeconfig, cloud exec plugins included."""

    kind: Literal["kubeconfig"]
    """kubeconfig"""
    path: PathBesideFile
    """The kubeconfig."""
    context: Text | None = None
    """Its context; left out: the current one."""


AnyCredentials = Annotated[InCluster | TokenFromFile | ClientCertificate | Kubeconfig, Field(discriminator="kind")]


class ClusterFile(Section):
    """What one file in clusters_dir says."""

    name: ClusterName
    """What people call it: in contexts, roles and records. The file is called the same."""
    labels: Mapping[str, str] = {}
    """What roles select by."""
    credentials: AnyCredentials
    """How kwit proves itself there."""
    server: ServerUrl | None = Field(default=None, validate_default=True)
    """The API server's URL; left out with in_cluster and kubeconfig, which know it."""
    ca_file: PathBesideFile | None = None
    """PEM file of the CA that the API server's certificate is checked against."""
    ca_data: str | None = Field(default=None, validate_default=True)
    """The same, as PEM text in this file."""
    tls_server_name: Text | None = None
    """The name to ask for and check where the URL has another."""
    allowed_system_users: tuple[Text, ...] = ()
    """User names under system: that roles may send to this cluster; none by default."""
    allowed_system_groups: tuple[Text, ...] = ()
    """Groups under system: that roles may send to this cluster; none by default."""

    @field_validator("server")
    @classmethod
    def _known_from_somewhere(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and isinstance(info.data.get("credentials"), TokenFromFile | ClientCertificate):
            raise ValueError("the API server's URL, such as https://10.0.0.1:6443")
        return value

    @field_validator("ca_data")
    @classmethod
    def _one_ca(cls, value: str | None, info: ValidationInfo) -> str | None:
        file = info.data.get("ca_file")
        if value is not None and file is not None:
            raise ValueError("one of ca_file and ca_data, not both")
        alone = isinstance(info.data.get("credentials"), TokenFromFile | ClientCertificate)
        if alone and value is None and file is None and "ca_file" in info.data:
            raise ValueError("one of ca_file and ca_data: kwit pins the cluster's CA and does not use the system's")
        return value

    @field_validator("allowed_system_users", "allowed_system_groups")
    @classmethod
    def _only_the_systems(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not name.startswith("system:") or "*" in name for name in value):
            raise ValueError("full names that begin with system:, no patterns; other names need no permission here")
        return value


@dataclass(slots=True)
class Cluster:
    """One cluster as the upstream pool needs it. What was read from its file does not change; its credential does."""

    name: str
    labels: Mapping[str, str]
    server: str
    ca_pem: str
    tls_server_name: str | None
    credentials: Credentials = field(repr=False)
    allowed_system_users: frozenset[str] = frozenset()
    allowed_system_groups: frozenset[str] = frozenset()
    host: str = field(init=False)
    port: int = field(init=False)
    host_header: bytes = field(init=False)
    path_prefix: bytes = field(init=False)
    server_hostname: str = field(init=False)
    _context: tuple[int, ssl.SSLContext] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.server)
        self.host, self.port = parts.hostname or "", parts.port or 443
        self.host_header = parts.netloc.encode()
        self.path_prefix = parts.path.rstrip("/").encode()
        self.server_hostname = self.tls_server_name or self.host

    @property
    def allowed_system_names(self) -> frozenset[str]:
        """Users and groups under `system:` that may be sent here."""
        return self.allowed_system_users | self.allowed_system_groups

    def ssl_context(self) -> ssl.SSLContext:
        """Trusts this cluster's CA alone, and carries our certificate; made anew when that changes.

        Raises CredentialError when a PEM cannot be used.
        """
        if self._context is None or self._context[0] != self.credentials.generation:
            context = tls_context(self.ca_pem, self.credentials.material)
            self._context = (self.credentials.generation, context)
        return self._context[1]

    def authorization(self) -> bytes | None:
        """The Authorization header's value for our own account; None where the certificate proves us."""
        return self.credentials.authorization()


def load_cluster(path: Path) -> Cluster:
    """The cluster that the file at `path` describes. Raises ConfigError with all its mistakes."""
    return build_cluster(parse_section(ClusterFile, read_text(path), path=path), path)


def build_cluster(file: ClusterFile, path: Path) -> Cluster:
    """A cluster from what its file said; reads its CA, and the kubeconfig if it names one. Raises ConfigError."""
    try:
        ca, server, tls_name, source = _resolve(file)
        tls_context(ca, None)
    except CredentialError as error:
        raise ConfigError([Mistake(str(path), 1, "", "", str(error))]) from error
    return Cluster(
        name=file.name,
        labels=dict(file.labels),
        server=server,
        ca_pem=ca,
        tls_server_name=tls_name,
        credentials=Credentials(source),
        allowed_system_users=frozenset(file.allowed_system_users),
        allowed_system_groups=frozenset(file.allowed_system_groups),
    )


def _resolve(file: ClusterFile) -> tuple[str, str, str | None, Source]:
    own_ca = file.ca_data or (_pem(file.ca_file) if file.ca_file else None)
    how = file.credentials
    if isinstance(how, Kubeconfig):
        entry = read_context(how.path, how.context)
        name = file.tls_server_name or entry.tls_server_name
        return own_ca or entry.ca_pem, file.server or entry.server, name, entry.source
    if isinstance(how, InCluster):
        ca = own_ca or _pem(how.directory / "ca.crt")
        return ca, file.server or IN_CLUSTER_SERVER, file.tls_server_name, TokenFile(how.directory / "token")
    source: Source = (
        TokenFile(how.path) if isinstance(how, TokenFromFile) else CertificateFiles(how.certificate, how.key)
    )
    if own_ca is None or file.server is None:
        raise CredentialError("the cluster's server and CA are missing")
    return own_ca, file.server, file.tls_server_name, source


def _pem(path: Path) -> str:
    return read_bounded(path).decode("ascii", "replace")


class ClusterRegistry:
    """All clusters of a directory, by name.

    `reload` is called every second or so; it reads only files whose time, size or inode changed. Lookups are plain dict
    reads. A cluster keeps its object, and so its credential and pool, while its file stays the same.
    """

    __slots__ = ("_clusters", "_directory", "_errors", "_stamps")

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._clusters: dict[str, Cluster] = {}
        self._stamps: dict[Path, tuple[int, int, int]] = {}
        self._errors: dict[Path, ConfigError] = {}

    @classmethod
    def load(cls, directory: Path) -> ClusterRegistry:
        """Everything in `directory` now. Files that cannot be used are in `problems`, not raised."""
        registry = cls(directory)
        registry.reload()
        return registry

    def get(self, name: str) -> Cluster | None:
        return self._clusters.get(name)

    @property
    def by_name(self) -> Mapping[str, Cluster]:
        """The live table itself: what `reload` changes shows in it."""
        return self._clusters

    def __iter__(self) -> Iterator[Cluster]:
        return iter(sorted(self._clusters.values(), key=lambda cluster: cluster.name))

    def __len__(self) -> int:
        return len(self._clusters)

    @property
    def problems(self) -> tuple[Mistake, ...]:
        """What is wrong with files now; their last good form, if any, stays in force."""
        return tuple(mistake for _, error in sorted(self._errors.items()) for mistake in error.mistakes)

    def reload(self) -> bool:
        """Take over what changed. True when any cluster was added, changed or removed. Never raises."""
        stamps = self._look()
        if stamps is None or stamps == self._stamps:
            return False
        changed = [path for path, stamp in stamps.items() if self._stamps.get(path) != stamp]
        gone = [path for path in self._stamps if path not in stamps]
        self._stamps = stamps
        for path in gone:
            self._errors.pop(path, None)
        removed = [path for path in gone if self._clusters.pop(path.stem, None) is not None]
        taken = [path for path in changed if self._take(path)]
        return bool(taken or removed)

    async def refresh(self, now: float) -> None:
        """Renew the credentials that are due, all at once. Never raises."""
        await asyncio.gather(*(cluster.credentials.refresh(now) for cluster in self))

    def _take(self, path: Path) -> bool:
        try:
            cluster = load_cluster(path)
            self._check_name(path, cluster)
        except ConfigError as error:
            self._errors[path] = error
            return False
        self._errors.pop(path, None)
        self._clusters[cluster.name] = cluster
        return True

    def _check_name(self, path: Path, cluster: Cluster) -> None:
        """The file bears the cluster's name: so no two files can mean one cluster."""
        if path.stem != cluster.name:
            expected = f"the name that the file has ({path.stem}); rename one of them"
            raise ConfigError([Mistake(str(path), 1, "name", f'"{cluster.name}"', expected)])

    def _look(self) -> dict[Path, tuple[int, int, int]] | None:
        """Stamps of the files there are; None when the directory cannot be read: then nothing is taken away."""
        try:
            found = sorted(path for path in self._directory.iterdir() if path.suffix == ".yaml")[:MAX_CLUSTERS]
            looked = {path: path.stat() for path in found if not path.name.startswith(".")}
        except OSError as error:
            mistake = Mistake(str(self._directory), 1, "", "", f"cannot be read: {error.strerror}")
            self._errors[self._directory] = ConfigError([mistake])
            return None
        self._errors.pop(self._directory, None)
        return {path: (stat.st_mtime_ns, stat.st_size, stat.st_ino) for path, stat in looked.items()}
