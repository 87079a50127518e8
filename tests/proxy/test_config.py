"""Also what `proxy.config_mistakes` says of a file; its own module has the rest."""

import json
import os
from pathlib import Path

import pytest

from proxy.config import (
    Config,
    ConfigError,
    Durability,
    GithubConnector,
    OidcConnector,
    config_schema,
    json_schema,
    read_client_secret,
)
from proxy.config_types import Address

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
FILE = Path("/etc/kwit/kwit.yaml")
SMALL = """\
installation: example
kube: {url: "https://kube.example.com:8443"}
web: {url: "https://kwit.example.com"}
connectors:
  - {name: corp, type: oidc, issuer: "https://login.example.com", client_id: kwit, client_secret_file: secret}
"""


def parse(text: str) -> Config:
    return Config.parse(text, path=FILE)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    return [str(mistake).removeprefix(f"{FILE}:") for mistake in refused.value.mistakes]


def test_what_is_left_out_has_a_safe_default_and_nothing_opens():
    config = parse(SMALL)
    assert [config.kube.address, config.web.address, config.operations.address] == [
        Address("127.0.0.1", 8443),
        Address("127.0.0.1", 8444),
        Address("127.0.0.1", 9440),
    ]
    assert (config.web.insecure_http, config.kube.allowed_origins, config.workers) == (False, (), 1)
    assert (config.login.login_ttl, config.login.certificate_ttl, config.login.groups_refresh) == (36_000, 3_600, 300)
    assert (config.login.groups_max_age, config.state.max_age) == (3_600, 60)
    assert (config.audit.durability, config.audit.segment_bytes) == (Durability.MUTATING, 256 << 20)
    assert config.connectors[0].algorithms == ("RS256", "ES256", "PS256", "EdDSA")


def test_paths_start_at_the_files_own_directory():
    config = parse(SMALL)
    base = Path("/etc/kwit")
    assert (config.data_dir, config.clusters_dir, config.roles_dir) == (
        base / "kwit-data",
        base / "clusters",
        base / "roles",
    )
    assert (config.audit_directory, config.state_path, config.ca_directory) == (
        base / "kwit-data/audit",
        base / "kwit-data/state.db",
        base / "kwit-data/ca",
    )
    assert config.connectors[0].client_secret_file == base / "secret"


def test_a_key_without_a_value_is_as_if_it_were_commented_out():
    assert parse(SMALL + "audit:\nlogin:\n  login_ttl:\nworkers:\n") == parse(SMALL)


def test_every_mistake_is_reported_at_once_with_line_path_value_and_expectation():
    text = """\
installation: Example
kube: {url: "http://x", adress: "0.0.0.0:1"}
web:
  url: https://kwit.example.com
login:
  login_ttl: 10 hours
connectors:
  - {name: a, type: oidc, issuer: "https://x/", client_id: 3, client_secret_file: s}
  - {name: b, type: saml, client_secret: hunter2}
  - {name: c}
  - {name: d, type: github, client_id: x, client_secret_env: A}
audit: {durability: maybe, segment_bytes: 3GB}
workers: 0
operations: 3
"""
    assert mistakes(text) == [
        (
            '1: installation: "Example" is not accepted; expected a name of at most 63 lower-case letters, digits and '
            "hyphens, such as example"
        ),
        '2: kube.url: "http://x" is not accepted; expected a URL such as https://host.example.com',
        "2: kube.adress: is not a key; did you mean address?",
        (
            '6: login.login_ttl: "10 hours" is not accepted; expected a duration with its unit, such as 90s, 5m, 10h '
            "or 1h30m"
        ),
        (
            "8: connectors[0].client_id: 3 is not accepted; expected text; put it in quotes if it looks like a "
            "number or a date"
        ),
        "9: connectors[1]: \"saml\" is not accepted; expected type to be one of 'oidc', 'github'",
        "10: connectors[2]: type is missing; write which kind it is",
        "11: connectors[3].organizations: at least one organisation: everybody in the world has a GitHub account",
        "12: audit.durability: \"maybe\" is not accepted; expected one of 'mutating' or 'strict'",
        (
            '12: audit.segment_bytes: "3GB" is not accepted; expected a size with its unit (B, KiB, MiB, GiB or '
            "TiB), such as 64KiB"
        ),
        "13: workers: 0 is not accepted; expected a number from 1 to 256, or auto: one for each core",
        "14: operations: 3 is not accepted; expected a section: keys with values, indented below it",
    ]


def test_what_is_missing_is_named_with_its_meaning():
    assert mistakes("") == [
        (
            "1: installation: is missing: this installation's name; stands in every certificate, so that two "
            "installations never accept each other's."
        ),
        "1: kube: is missing: the kube listener.",
        "1: web: is missing: the web listener.",
        "1: connectors: at least one identity provider, or nobody can sign in",
    ]


def test_a_secret_written_where_its_file_belongs_is_not_shown():
    text = SMALL.replace("client_secret_file: secret", "client_secret_file: [hunter2]")
    assert not any("hunter2" in line for line in mistakes(text))
    text = SMALL.replace("client_secret_file: secret", "client_secret: hunter2")
    assert not any("hunter2" in line for line in mistakes(text))
    assert len(mistakes(text)) == 2


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("login: {login_ttl: 1h, certificate_ttl: 2h}", "at most login_ttl"),
        ("login: {groups_refresh: 2h}", "at most groups_max_age"),
        ("operations: {address: '127.0.0.1:8443'}", "an address of its own: kube.address"),
        ("operations: {address: '0.0.0.0:8444'}", "an address of its own: web.address"),
        ("kube: {url: 'https://x', address: '127.0.0.1:9440'}", "an address of its own: kube.address"),
        ("workers: 1000", "256"),
        ("workers: true", "256"),
        ("workers: all", "or auto"),
        ("installation2: x", "did you mean installation?"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(addition, expected):
    text = SMALL.replace('kube: {url: "https://kube.example.com:8443"}\n', "") if addition[:4] == "kube" else SMALL
    found = mistakes(text + addition)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("web", "expected"),
    [
        ('{url: "http://127.0.0.1:8444"}', "true, because web.url begins with http://"),
        ('{url: "http://127.0.0.1:8444", address: "0.0.0.0:8444", insecure_http: true}', "plain HTTP is for loopback"),
        ('{url: "http://kwit.example.com", insecure_http: true}', "loopback only"),
        ('{url: "http://127.0.0.1:8444", insecure_http: true, tls: {certificate: a, key: b}}', "remove one of them"),
        ('{url: "https://x.example.com", address: "0.0.0.0:8443"}', "an address of its own"),
    ],
)
def test_plain_http_is_for_loopback_alone(web, expected):
    found = mistakes(SMALL.replace('{url: "https://kwit.example.com"}', web))
    assert len(found) == 1
    assert expected in found[0]


def test_plain_http_on_loopback_is_possible_when_it_is_said():
    web = '{url: "http://127.0.0.1:8444", insecure_http: true}'
    assert parse(SMALL.replace('{url: "https://kwit.example.com"}', web)).web.insecure_http


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{name: corp, type: github, client_id: x, client_secret_env: A, organizations: [o]}", "corp stands twice"),
        (
            "{name: o, type: oidc, issuer: 'https://x', client_id: x, client_secret_env: A, mapping: {email: 'a ++'}}",
            "no CEL expression",
        ),
        ("{name: gh, type: github, client_id: x, organizations: [o]}", "exactly one of client_secret_file"),
        (
            "{name: gh, type: github, client_id: x, client_secret_env: A, client_secret_file: b, organizations: [o]}",
            "exactly one of client_secret_file",
        ),
        ("{name: o, type: oidc, issuer: 'https://x', client_id: x, client_secret_env: A, scopes: [email]}", "openid"),
        (
            "{name: o, type: oidc, issuer: 'https://x', client_id: x, client_secret_env: A, algorithms: []}",
            "at least one",
        ),
        (
            "{name: o, type: oidc, issuer: 'https://x', client_id: x, client_secret_env: A, algorithms: [HS256]}",
            "RS256",
        ),
        ("{name: o, type: oidc, issuer: 'https://x', client_id: x, client_secret_env: A, algorithms: [none]}", "RS256"),
        ("{name: o, type: oidc, issuer: 'https://x', client_id: ' x', client_secret_env: A}", "without blanks"),
    ],
)
def test_a_connector_that_would_let_in_too_many_or_nobody_is_refused(entry, expected):
    found = mistakes(SMALL + f"  - {entry}\n")
    assert len(found) == 1
    assert expected in found[0]


def test_the_kinds_of_connectors_are_told_apart_by_their_type():
    github = "  - {name: gh, type: github, client_id: x, client_secret_env: A, organizations: [o]}\n"
    kinds = [type(connector) for connector in parse(SMALL + github).connectors]
    assert kinds == [OidcConnector, GithubConnector]


def test_values_cannot_be_changed_afterwards():
    config = parse(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        config.workers = 2


def test_broken_yaml_names_its_line(tmp_path):
    assert mistakes("a: 1\na: 2\n") == ["2: the key 'a' stands twice, first in line 1; keep one"]
    path = tmp_path / "kwit.yaml"
    for content, expected in [(None, "there is no such file"), (b"\xff", "is not UTF-8 text")]:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=expected):
            Config.load(path)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Config.load(tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "text"])
def test_a_file_that_is_no_section_is_a_mistake(text):
    assert "expected a section" in mistakes(text)[0]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "kwit.yaml"
    path.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert Config.load(path).installation == "example"


def test_a_client_secret_comes_from_its_file_or_variable_and_nothing_else(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    from_file = Config.parse(SMALL, path=tmp_path / "kwit.yaml").connectors[0]
    assert read_client_secret(from_file, {}) == "s3cret"
    text = SMALL.replace("client_secret_file: secret", "client_secret_env: KWIT_SECRET")
    from_environment = Config.parse(text, path=tmp_path / "kwit.yaml").connectors[0]
    assert read_client_secret(from_environment, {"KWIT_SECRET": "other"}) == "other"
    with pytest.raises(ConfigError, match="KWIT_SECRET is not set"):
        read_client_secret(from_environment, {})
    for content in (b"", b" \n", b"\xff", b"x" * 20_000):
        (tmp_path / "secret").write_bytes(content)
        with pytest.raises(ConfigError, match="client_secret_file"):
            read_client_secret(from_file, {})
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_client_secret(from_file, {})


def test_the_schema_in_the_examples_is_the_models():
    assert (EXAMPLES / "kwit.schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_schema_writes_defaults_as_people_do():
    definitions = config_schema()["$defs"]
    assert definitions["LoginTimes"]["properties"]["login_ttl"]["default"] == "10h"
    assert definitions["Audit"]["properties"]["segment_bytes"]["default"] == "256MiB"
    assert definitions["Kube"]["properties"]["address"]["default"] == "127.0.0.1:8443"
    assert json.loads(json_schema())["additionalProperties"] is False


@pytest.mark.parametrize(("written", "count"), [("1", 1), ("7", 7), ("auto", min(len(os.sched_getaffinity(0)), 256))])
def test_workers_are_a_number_or_one_for_each_core(written, count):
    assert parse(SMALL + f"workers: {written}\n").worker_count == count
