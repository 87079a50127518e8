"""What is wrong with an installation, each thing with its fix: the checks behind `kwit doctor`.

Each check is a generator of findings and never raises for what it looks at. Nothing is changed, but for one small file
written, synced and removed in the log's directory: whether a disk takes records is known only by writing one.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from auth.rbac import PolicyError
from auth.role_files import load
from proxy.audit_policy_file import load_policy
from proxy.cluster_probe import probe
from proxy.clusters import ClusterRegistry
from proxy.config import Config, ConfigError, Connector, OidcConnector, Tls, read_client_secret
from proxy.direct_http import DirectError, ask
from proxy.finding import Finding, fail, ok, warn
from proxy.role_directory import RoleDirectory
from recordings.audit.policy.doubts import doubts

CLOCK_TOLERANCE_SECONDS = 30.0
"""How far the log's last record may lie ahead of the clock (design, section 11) before nothing is issued."""
PROVIDER_TOLERANCE_SECONDS = 60.0
"""ID tokens are checked with about this leeway; beyond it sign-ins fail."""
CERTIFICATE_DAYS = 14
"""Before a serving certificate ends, time enough for whoever renews it by hand."""
SECRET_SUFFIXES = (".key", ".secret")
"""Of the files beside the CA that nobody else may read."""
SPARE_SEGMENTS = 4
"""Room for so many segments of the log, or the disk is as good as full."""


async def examine(config: Config, now: float, environ: Mapping[str, str]) -> list[Finding]:
    """Everything but the configuration's own text, which has been read already."""
    findings: list[Finding] = []
    for check in (disk, clock, roles, audit_policy):
        findings += _guarded(check.__name__, lambda check=check: check(config, now))  # type: ignore[misc]
    findings += _guarded("files", lambda: files(config, now, environ))
    findings += _guarded("provider", lambda: providers(config, now))
    registry = ClusterRegistry.load(config.clusters_dir)
    findings += clusters(registry)
    for cluster in registry:
        findings += await probe(cluster, now)
    return findings


def _guarded(subject: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check that breaks is a finding; the others go on."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:  # noqa: BLE001 - whatever it is, the person sees the other findings too
        found.append(fail(subject, f"the check itself failed: {type(error).__name__}: {error}", "please report this"))
    return found


def disk(config: Config, now: float) -> Iterator[Finding]:
    """Room for the log, and a disk that takes a record and keeps it."""
    del now
    wanted = config.audit_directory
    place = next((path for path in (wanted, *wanted.parents) if path.is_dir()), Path("/"))
    free, needed = shutil.disk_usage(place).free, SPARE_SEGMENTS * config.audit.segment_bytes
    if free < config.audit.segment_bytes:
        yield fail("disk", f"{_mib(free)} free at {place}: less than one segment of the log", "make room")
    elif free < needed:
        yield warn("disk", f"{_mib(free)} free at {place}: less than {SPARE_SEGMENTS} segments of the log", "make room")
    else:
        yield ok("disk", f"{_mib(free)} free at {place}")
    try:
        with tempfile.TemporaryFile(dir=place, prefix=".kwit-doctor-") as probe_file:
            probe_file.write(b"kwit doctor\n")
            probe_file.flush()
            os.fsync(probe_file.fileno())
    except OSError as error:
        yield fail("disk", f"{place} takes no record: {error.strerror}", "make it writable for the user that runs kwit")
    else:
        made = "" if place == wanted else f" ({wanted} will be made there)"
        yield ok("disk", f"{place} takes a record and syncs it{made}")


def clock(config: Config, now: float) -> Iterator[Finding]:
    """The clock against the log's last record: behind it by more than the tolerance, kwit refuses to start."""
    if not config.audit_directory.is_dir():
        yield ok("clock", f"{_utc(now)}; there is no log yet to compare with")
        return
    from recordings.audit.query import newest
    from recordings.audit.question import Question

    records = newest(config.audit_directory, Question(), 1)
    if not records:
        yield ok("clock", f"{_utc(now)}; the log is empty")
        return
    last = datetime.fromisoformat(str(records[-1]["time"])).timestamp()
    behind = last - now
    if behind > CLOCK_TOLERANCE_SECONDS:
        message = f"the clock says {_utc(now)}, {behind:.0f} s before the log's last record"
        yield fail("clock", message, "set the clock right (NTP); kwit does not start before")
    else:
        yield ok("clock", f"{_utc(now)}, after the log's last record")


def roles(config: Config, now: float) -> Iterator[Finding]:
    """The role files as `kwit serve` would read them."""
    del now
    try:
        found, bindings = load(config.roles_dir)
        RoleDirectory(config, ClusterRegistry.load(config.clusters_dir))
    except PolicyError as error:
        for line in str(error).splitlines():
            yield fail("roles", line, f"mend the file in {config.roles_dir}")
        return
    except OSError as error:
        yield fail(
            "roles", f"{config.roles_dir} cannot be read: {error.strerror}", "set roles_dir, or make the directory"
        )
        return
    if not found or not bindings:
        what = "no role" if not found else "no binding"
        yield warn("roles", f"there is {what}, so every request is refused", f"write one into {config.roles_dir}")
    else:
        yield ok("roles", f"{_count(len(found), 'role')}, {_count(len(bindings), 'binding')}")


def audit_policy(config: Config, now: float) -> Iterator[Finding]:
    """The audit policy as `kwit serve` would read it, and what is hardly meant in it."""
    del now
    name = config.audit.policy_file or config.audit.policy_profile
    try:
        policy = load_policy(name)
    except ConfigError as error:
        for line in str(error).splitlines():
            yield fail("policy", line, "mend the file; `kwit audit policy show proxy` prints one to begin with")
        return
    doubtful = len(doubts(policy)) if config.audit.policy_file else 0
    if doubtful:
        yield warn("policy", f"{name}: {_count(doubtful, 'doubt')}", f"kwit audit policy lint {name}")
    else:
        yield ok("policy", f"{name}: {_count(len(policy.rules), 'rule')}")


def files(config: Config, now: float, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether what must be private is, and what must be readable too."""
    if config.data_dir.is_dir():
        yield from _private(config.data_dir, "data_dir")
        held = sorted(config.ca_directory.iterdir()) if config.ca_directory.is_dir() else []
        for path in held:
            if path.suffix in SECRET_SUFFIXES:
                yield from _private(path, "key")
    for section, tls in (("kube", config.kube.tls), ("web", config.web.tls)):
        if tls is not None:
            yield from _private(tls.key, f"{section}.tls.key")
            yield from _serving(section, tls, now)
    for connector in config.connectors:
        yield from _secret(connector, environ)


def providers(config: Config, now: float) -> Iterator[Finding]:
    """Whether each provider's discovery document is there, names the issuer, and agrees about the time."""
    for connector in config.connectors:
        if isinstance(connector, OidcConnector):
            yield from _provider(connector, now)
        else:
            yield from _reachable(connector, connector.base_url, now)


def clusters(registry: ClusterRegistry) -> Iterator[Finding]:
    """The cluster files themselves."""
    for mistake in registry.problems:
        yield fail("clusters", str(mistake), "mend the file; until then its last good form stays in force")
    if not len(registry):
        yield warn("clusters", "no cluster is registered", "add one: kwit cluster add NAME --context CONTEXT")


def _provider(connector: OidcConnector, now: float) -> Iterator[Finding]:
    subject = f"connector {connector.name}"
    url = connector.issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        answer = ask(url, headers={"Accept": "application/json"}, context=_context(connector, url))
        document = json.loads(answer.body)
        issuer = document.get("issuer") if isinstance(document, dict) else None
    except (DirectError, OSError, ssl.SSLError) as error:
        yield fail(subject, f"{url} cannot be reached: {error}", "check issuer, ca_file and the network from this host")
        return
    except ValueError:
        yield fail(subject, f"{url} answered {answer.status} with something else than JSON", "check issuer")
        return
    if answer.status != 200 or not isinstance(document, dict):
        yield fail(subject, f"{url} answered {answer.status}", "check issuer")
    elif issuer != connector.issuer:
        fix = "write the issuer exactly as the provider does, slashes included"
        yield fail(subject, f"the provider calls itself {str(issuer)[:200]!r}, not {connector.issuer!r}", fix)
    else:
        yield ok(subject, f"{connector.issuer} answers")
    yield from _provider_clock(subject, answer.headers.get("date"), now)


def _reachable(connector: Connector, url: str, now: float) -> Iterator[Finding]:
    subject = f"connector {connector.name}"
    try:
        answer = ask(url, context=_context(connector, url))
    except DirectError as error:
        if "longer than" not in str(error):
            yield fail(subject, f"{url} cannot be reached: {error}", "check base_url, ca_file and the network")
            return
        answer = None
    yield ok(subject, f"{url} answers")
    yield from _provider_clock(subject, answer.headers.get("date") if answer else None, now)


def _provider_clock(subject: str, date: str | None, now: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return
    apart = now - theirs
    if abs(apart) > PROVIDER_TOLERANCE_SECONDS:
        side = "ahead of" if apart > 0 else "behind"
        yield fail(
            subject, f"this host's clock is {abs(apart):.0f} s {side} the provider's", "set the clock right (NTP)"
        )


def _context(connector: Connector, url: str) -> ssl.SSLContext | None:
    if not url.startswith("https://"):
        return None
    return ssl.create_default_context(cafile=str(connector.ca_file) if connector.ca_file else None)


def _private(path: Path, what: str) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield fail("files", f"{what} {path} cannot be read: {error.strerror}", "set the path right, or make the file")
        return
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        octal = f"{stat.S_IMODE(mode):04o}"
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        yield fail("files", f"{what} {path} is open to others (mode {octal})", f"chmod {wanted} {path}")
    else:
        yield ok("files", f"{what} {path} is private")


def _serving(section: str, tls: Tls, now: float) -> Iterator[Finding]:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificates(tls.certificate.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        yield fail("files", f"{section}.tls.certificate {tls.certificate} cannot be used: {error}", "give a PEM file")
        return
    days = (certificate.not_valid_after_utc.timestamp() - now) / 86_400
    subject = f"{section}.tls.certificate"
    if days < 0:
        yield fail(subject, f"{tls.certificate} ended {-days:.0f} days ago", "renew it")
    elif days < CERTIFICATE_DAYS:
        yield warn(subject, f"{tls.certificate} ends in {days:.0f} days", "renew it")
    else:
        yield ok(subject, f"{tls.certificate} is good for {days:.0f} days")


def _secret(connector: Connector, environ: Mapping[str, str]) -> Iterator[Finding]:
    subject = f"connector {connector.name}"
    try:
        read_client_secret(connector, environ)
    except ConfigError as error:
        why, _, fix = error.mistakes[0].expected.partition("; ")
        yield fail(subject, why, fix)
        return
    path = connector.client_secret_file
    if path is not None and os.name == "posix" and path.stat().st_mode & stat.S_IRWXO:
        yield warn(subject, f"its client secret {path} can be read by everybody on this host", f"chmod o= {path}")
    else:
        yield ok(subject, "its client secret is there")


def _mib(number: int) -> str:
    return f"{number >> 20} MiB"


def _utc(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
