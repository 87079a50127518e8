"""Fuzz targets: who somebody is, and the files that people write."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth import kubeconfig, role_files
from auth.ca import issue, new_ca, public_key_from_csr
from auth.client_cert import check_dates, read_credential
from auth.errors import AuthError
from auth.identity import LoginID
from auth.jose import TokenError, encode_base64url, parse_jwks, take_apart
from auth.mapping import check_name
from auth.oidc import parse_metadata
from auth.patterns import PatternError, compile_pattern
from auth.placed_yaml import YamlError, read_documents
from auth.proof import read_proof
from auth.rbac.role import PolicyError
from auth.strict_json import StrictJSONError, parse_object
from proxy.audit_policy_file import parse_policy
from proxy.cluster_kubeconfig import read_context
from proxy.config import Config
from proxy.config_mistakes import ConfigError

_PLACE = tempfile.TemporaryDirectory(prefix="kwit-fuzz-")
NOW = 1_800_000_000.0
MINE = kubeconfig.Target(
    "c1", "https://kwit.example:8443/clusters/c1", "PEM", kubeconfig.exec_user("kwit", ("credential",))
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _read_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def strict_json(data: bytes) -> str:
    """JSON with one meaning."""
    try:
        value = parse_object(data, 1 << 16)
    except StrictJSONError as error:
        return str(error)
    for one in _leaves(value):
        assert not isinstance(one, float) or math.isfinite(one)
        if isinstance(one, str):
            one.encode()
    return f"{len(value)} members"


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    else:
        yield value


def compact_token(data: bytes) -> str:
    """A token: three parts, each in its one spelling."""
    text = _text(data)
    try:
        found = take_apart(text, {"RS256", "ES256"}, (None, "jwt"))
    except TokenError as error:
        return str(error)
    header, payload, signature = text.split(".")
    assert found.signing_input == f"{header}.{payload}".encode()
    assert encode_base64url(found.payload) == payload
    assert encode_base64url(found.signature) == signature
    return f"{found.algorithm}, {len(found.payload)} bytes"


def key_set(data: bytes) -> str:
    """A provider's keys."""
    try:
        found = parse_jwks(data)
        for algorithm in ("RS256", "ES256", "EdDSA"):
            for kid in (None, *(key.kid for key in found.keys)):
                try:
                    found.find(kid, algorithm)
                except TokenError:
                    continue
    except TokenError as error:
        return str(error)[:80]
    return f"{len(found.keys)} keys"


def provider(data: bytes) -> str:
    """A discovery document."""
    try:
        found = parse_metadata(data, "https://idp.example")
    except TokenError as error:
        return str(error)[:120]
    assert found.token_endpoint.startswith("https://")
    return "read"


def key_proof(data: bytes) -> str:
    """A login's proof of its key."""
    try:
        read_proof(_text(data))
    except AuthError as error:
        return error.message[:90]
    return "read"


@cache
def certificate() -> bytes:
    """One that we made, in DER."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    made = issue(
        new_ca("people", NOW, ec.derive_private_key(9, ec.SECP256R1())), key.public_key(), installation="i",
        cluster="c", login_id=LoginID("a" * 26), now=NOW, lifetime_seconds=3600, serial_number=7,
    )  # fmt: skip
    return x509.load_pem_x509_certificate(made.pem.encode()).public_bytes(serialization.Encoding.DER)


def client_certificate(data: bytes) -> str:
    """A client's certificate. The first byte: 0, the bytes as they are; else ours, with them in it instead of what is
    there, from the place that the next two bytes say.
    """
    der = data[1:]
    if data[:1] != b"\0":
        good = certificate()
        at = int.from_bytes(data[1:3]) % len(good)
        der = good[:at] + data[3:] + good[at + len(data[3:]) :]
    try:
        found = read_credential(der, "i")
    except AuthError as error:
        return f"{error.reason}: {error.message.partition(':')[2][:60].strip()}"
    assert found.cluster
    check_dates(found, NOW)
    return f"of {found.cluster}"


def certificate_request(data: bytes) -> str:
    """A request for a certificate, in PEM."""
    try:
        public_key_from_csr(_text(data))
    except AuthError as error:
        return error.message[:80]
    return "a key"


def name(data: bytes) -> str:
    """A name from an identity provider: what passes is itself again in a header and in JSON."""
    try:
        found = check_name(_text(data), "username")
    except AuthError as error:
        return error.message.partition(":")[0][:40].encode("ascii", "replace").decode()
    assert found == found.strip()
    assert json.loads(json.dumps(found)) == found
    assert not any(byte < 0x20 or byte == 0x7F for byte in found.encode())
    return "accepted"


def pattern(data: bytes) -> str:
    """A pattern of a role, and a name behind a NUL: as a plain search over both has it."""
    text, _, wanted = _read_text(data).partition("\0")
    try:
        matches = compile_pattern(text).matches(wanted)
    except PatternError:
        return "refused"
    assert matches is _matches(text, wanted)
    return str(matches)


def _matches(pattern: str, name: str) -> bool:
    reached = {0}
    for char in pattern:
        if char == "*":
            reached = {place for start in reached for place in range(start, len(name) + 1)}
        else:
            reached = {at + 1 for at in reached if name[at : at + 1] == char}
    return len(name) in reached


def placed_yaml(data: bytes) -> str:
    """YAML with places."""
    try:
        return f"{len(read_documents(_read_text(data)))} documents"
    except YamlError as error:
        assert error.line >= 1
        return "refused"


def kubeconfig_text(data: bytes) -> str:
    """A person's kubeconfig: our entries come in and go out again, and everything else says what it said."""
    text = _read_text(data)
    try:
        merged = kubeconfig.merge(text, [MINE])
    except kubeconfig.KubeconfigError:
        return "refused"
    again = kubeconfig.merge(merged, [MINE])
    assert again == merged
    after = yaml.safe_load(merged)
    assert [one["name"] for one in after["clusters"]].count("kwit-c1") == 1
    try:
        removed = kubeconfig.remove(merged, ["kwit-c1"])
    except kubeconfig.KubeconfigError:
        return "merged, not removed"
    assert "kwit-c1" not in [one.get("name") for one in (yaml.safe_load(removed) or {}).get("users") or []]
    kubeconfig.ours(merged, MINE.server)
    kubeconfig.current_cluster(merged)
    return "merged"


def cluster_kubeconfig(data: bytes) -> str:
    """An operator's kubeconfig, of which a context is taken."""
    from proxy.cluster_credentials import CredentialError

    path = Path(_PLACE.name) / "kubeconfig"
    path.write_bytes(data)
    try:
        read_context(path, None)
    except CredentialError:
        return "refused"
    return "read"


def roles(data: bytes) -> str:
    """A file of roles: read, or refused with the line of each mistake."""
    folder = Path(_PLACE.name) / "roles"
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_bytes(data)
    try:
        found, bindings = role_files.load(folder)
    except PolicyError as error:
        assert error.mistakes
        assert all(one.startswith("a.yaml:") for one in error.mistakes), error.mistakes
        return f"refused: {len(error.mistakes)} mistakes"
    return f"{len(found)} roles, {len(bindings)} bindings"


def config(data: bytes) -> str:
    """The configuration's file."""
    try:
        Config.parse(_read_text(data), path=Path("kwit.yaml"))
    except ConfigError as error:
        assert str(error)
        return "refused"
    return "read"


def audit_policy(data: bytes) -> str:
    """A Kubernetes audit policy."""
    try:
        parse_policy(_read_text(data), path=Path("policy.yaml"))
    except ConfigError as error:
        assert str(error)
        return "refused"
    return "read"


TARGETS: dict[str, Callable[[bytes], str]] = {
    "strict-json": strict_json,
    "token": compact_token,
    "key-set": key_set,
    "provider": provider,
    "key-proof": key_proof,
    "client-certificate": client_certificate,
    "certificate-request": certificate_request,
    "name": name,
    "pattern": pattern,
    "placed-yaml": placed_yaml,
    "kubeconfig": kubeconfig_text,
    "cluster-kubeconfig": cluster_kubeconfig,
    "roles": roles,
    "config": config,
    "audit-policy": audit_policy,
}
