import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from proxy import checkup
from proxy.clusters import ClusterRegistry
from proxy.config import Config
from proxy.finding import Finding, Level
from recordings.audit.segments import segment_name
from tests.fakes.probed_apiserver import ProbedAPIServer

NOW = 1_800_000_000.0
ROLE = """\
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: r}
spec: {as: {groups: [g]}, allow: [{apiGroups: [""], resources: [pods], verbs: [get]}]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: b}
spec: {role: r, subjects: [{kind: Group, connector: corp, name: eng}]}
"""


@pytest.fixture
def installation(tmp_path):
    """Make a Config whose paths are all in a folder of their own."""

    def make(issuer: str = "https://127.0.0.1:1", more: str = "", connector: str = "") -> Config:
        for name in ("roles", "clusters"):
            (tmp_path / name).mkdir(exist_ok=True)
        text = f"""\
installation: example
kube: {{url: "https://kube.example.com"}}
web: {{url: "https://kwit.example.com"}}
connectors:
  - {{name: corp, type: oidc, issuer: "{issuer}", client_id: kwit, client_secret_file: secret, ca_file: ca.crt}}
{connector}{more}"""
        return Config.parse(text, path=tmp_path / "kwit.yaml")

    return make


def levels(findings) -> list[Level]:
    return [finding.level for finding in findings]


def test_a_disk_with_room_takes_a_record_and_keeps_nothing_of_it(installation, tmp_path):
    config = installation(more="audit: {segment_bytes: 1MiB}\n")
    before = sorted(tmp_path.iterdir())
    assert levels(checkup.disk(config, NOW)) == [Level.OK, Level.OK]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("free", "level"), [(1 << 20, Level.FAIL), (600 << 20, Level.WARN), (4 << 30, Level.OK)])
def test_a_disk_is_measured_in_segments_of_the_log(installation, monkeypatch, free, level):
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    assert levels(checkup.disk(installation(), NOW))[0] is level


def test_a_disk_that_takes_no_record_fails(installation, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkup.os, "fsync", full)
    finding = list(checkup.disk(installation(), NOW))[1]
    assert (finding.level, "No space left" in finding.message) == (Level.FAIL, True)


def log_with_last_record_at(config: Config, moment: float) -> None:
    writer = config.audit_directory / "w"
    writer.mkdir(parents=True)
    time = datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
    record = {"v": 1, "seq": 1, "id": "x", "time": time, "type": "log.start"}
    (writer / segment_name(1, 0)).write_text(json.dumps(record) + "\n")


@pytest.mark.parametrize(("ahead", "level"), [(-100.0, Level.OK), (29.0, Level.OK), (31.0, Level.FAIL)])
def test_a_clock_behind_the_log_fails(installation, ahead, level):
    config = installation()
    log_with_last_record_at(config, NOW + ahead)
    assert levels(checkup.clock(config, NOW)) == [level]


def test_a_clock_without_a_log_has_nothing_to_be_behind_of(installation):
    config = installation()
    assert levels(checkup.clock(config, NOW)) == [Level.OK]
    config.audit_directory.mkdir(parents=True)
    assert levels(checkup.clock(config, NOW)) == [Level.OK]


def test_roles_are_read_as_the_server_reads_them(installation, tmp_path):
    config = installation()
    assert list(checkup.roles(config, NOW)) == [
        Finding(
            Level.WARN,
            "roles",
            "there is no role, so every request is refused",
            f"write one into {tmp_path / 'roles'}",
        )
    ]
    (tmp_path / "roles" / "r.yaml").write_text(ROLE)
    assert list(checkup.roles(config, NOW)) == [Finding(Level.OK, "roles", "1 role, 1 binding")]
    (tmp_path / "roles" / "r.yaml").write_text(ROLE.replace("verbs", "verb").replace("role: r,", "role: nobody,"))
    assert set(levels(checkup.roles(config, NOW))) == {Level.FAIL}


def test_files_that_others_can_read_are_named_with_the_command_that_closes_them(installation, tmp_path):
    config = installation()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "secret").chmod(0o644)
    config.ca_directory.mkdir(parents=True)
    config.data_dir.chmod(0o755)
    (config.ca_directory / "client.key").write_text("k")
    (config.ca_directory / "client.key").chmod(0o600)
    (config.ca_directory / "root.key.pub").write_text("everybody may have this")
    (config.ca_directory / "redaction.secret").write_text("k")
    (config.ca_directory / "redaction.secret").chmod(0o640)
    found = list(checkup.files(config, NOW, {}))
    assert [(finding.level, finding.fix) for finding in found] == [
        (Level.FAIL, f"chmod 700 {config.data_dir}"),
        (Level.OK, ""),
        (Level.FAIL, f"chmod 600 {config.ca_directory / 'redaction.secret'}"),
        (Level.WARN, f"chmod o= {tmp_path / 'secret'}"),
    ]


def test_the_audit_policy_is_read_as_the_server_reads_it_and_its_doubts_are_counted(installation, tmp_path):
    assert list(checkup.audit_policy(installation(), NOW)) == [Finding(Level.OK, "policy", "proxy: 9 rules")]
    path = tmp_path / "policy.yaml"
    config = installation(more="audit: {policy_file: policy.yaml}\n")
    (missing,) = checkup.audit_policy(config, NOW)
    assert (missing.level, "there is no such file" in missing.message) == (Level.FAIL, True)
    path.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: Metadata\n")
    assert list(checkup.audit_policy(config, NOW)) == [
        Finding(Level.WARN, "policy", f"{path}: 1 doubt", f"kwit audit policy lint {path}")
    ]


def test_a_client_secret_that_is_not_there_fails(installation):
    (finding,) = checkup.files(installation(), NOW, {})
    assert (finding.level, finding.subject) == (Level.FAIL, "connector corp")


@pytest.mark.parametrize(("days", "level"), [(-1, Level.FAIL), (5, Level.WARN), (90, Level.OK)])
def test_a_serving_certificate_near_its_end_is_named(installation, tmp_path, days, level):
    start = datetime.fromtimestamp(NOW, UTC)
    issued = trustme.CA().issue_cert("kube.example.com", not_after=start + timedelta(days=days))
    issued.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    issued.private_key_pem.write_to_path(tmp_path / "tls.key")
    (tmp_path / "tls.key").chmod(0o600)
    config = installation()
    tls = checkup.Tls(certificate=str(tmp_path / "tls.crt"), key=str(tmp_path / "tls.key"))
    kube = config.kube.model_copy(update={"tls": tls})
    found = list(checkup.files(config.model_copy(update={"kube": kube}), NOW, {}))
    assert [(finding.subject, finding.level) for finding in found[:2]] == [
        ("files", Level.OK),
        ("kube.tls.certificate", level),
    ]


def answer(server: ProbedAPIServer, document: object, date: float = NOW, status: int = 200) -> None:
    path = "/.well-known/openid-configuration"
    server.bodies[path] = json.dumps(document).encode()
    server.status[path] = status
    server.headers["Date"] = datetime.fromtimestamp(date, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.fixture
def idp(tmp_path):
    with ProbedAPIServer() as server:
        server.ca.cert_pem.write_to_path(tmp_path / "ca.crt")
        yield server


def test_a_provider_that_names_itself_and_agrees_about_the_time_is_in_order(installation, idp):
    config = installation(idp.url)
    answer(idp, {"issuer": idp.url})
    findings = list(checkup.providers(config, NOW))
    assert levels(findings) == [Level.OK]


@pytest.mark.parametrize(
    ("document", "status", "why"),
    [
        ({"issuer": "https://other"}, 200, "calls itself 'https://other'"),
        ({}, 200, "calls itself 'None'"),
        ([], 200, "answered 200"),
        ({"issuer": "x"}, 404, "answered 404"),
    ],
)
def test_a_provider_that_is_another_or_none_fails(installation, idp, document, status, why):
    answer(idp, document, status=status)
    finding = next(iter(checkup.providers(installation(idp.url), NOW)))
    assert (finding.level, why in finding.message) == (Level.FAIL, True)


def test_a_provider_that_speaks_no_json_or_is_not_there_fails(installation, idp, tmp_path):
    path = "/.well-known/openid-configuration"
    idp.bodies[path], idp.status[path] = b"<html>", 200
    finding = next(iter(checkup.providers(installation(idp.url), NOW)))
    assert "something else than JSON" in finding.message
    finding = next(iter(checkup.providers(installation("https://127.0.0.1:1"), NOW)))
    assert "cannot be reached" in finding.message
    (tmp_path / "ca.crt").unlink()
    finding = next(iter(checkup.providers(installation(idp.url), NOW)))
    assert finding.level is Level.FAIL


def test_a_clock_that_is_not_the_providers_fails(installation, idp):
    answer(idp, {"issuer": idp.url})
    behind = list(checkup.providers(installation(idp.url), NOW - 3600))[1]
    ahead = list(checkup.providers(installation(idp.url), NOW + 3600))[1]
    assert (behind.level, ahead.level) == (Level.FAIL, Level.FAIL)
    assert ("behind the provider's" in behind.message, "ahead of the provider's" in ahead.message) == (True, True)


def test_github_is_asked_whether_it_is_there(installation, idp):
    entry = f'name: gh, type: github, client_id: x, client_secret_env: A, organizations: [o], base_url: "{idp.url}"'
    idp.headers["Date"] = "Fri, 15 Jan 2027 08:00:00 GMT"
    github = f"  - {{{entry}, ca_file: ca.crt}}\n"
    config = installation(idp.url, connector=github)
    found = [finding for finding in checkup.providers(config, NOW) if finding.subject == "connector gh"]
    assert levels(found) == [Level.OK]


def test_cluster_files_that_are_broken_and_none_at_all_are_named(installation):
    config = installation()
    assert levels(checkup.clusters(ClusterRegistry.load(config.clusters_dir))) == [Level.WARN]
    (config.clusters_dir / "a.yaml").write_text("name: a\n")
    found = list(checkup.clusters(ClusterRegistry.load(config.clusters_dir)))
    assert (levels(found), "credentials" in found[0].message) == ([Level.FAIL, Level.WARN], True)


async def test_everything_is_looked_at_even_when_one_check_breaks(installation, monkeypatch):
    def broken(config: Config, now: float):
        raise RuntimeError("boom")

    monkeypatch.setattr(checkup, "disk", broken)
    findings = await checkup.examine(installation(), NOW, {})
    assert findings[0].message == "the check itself failed: RuntimeError: boom"
    assert {finding.subject for finding in findings} >= {"clock", "roles", "connector corp", "clusters"}


async def test_each_cluster_is_probed(installation):
    config = installation()
    with ProbedAPIServer() as server:
        (config.clusters_dir / "ca.crt").write_text(server.ca_pem)
        (config.clusters_dir / "token").write_text("good")
        (config.clusters_dir / "a.yaml").write_text(
            f"name: a\nserver: {server.url}\nca_file: ca.crt\ncredentials: {{kind: token_file, path: token}}\n"
        )
        findings = await checkup.examine(config, NOW, {})
    assert levels(finding for finding in findings if finding.subject == "cluster a") == [Level.OK] * 3
    assert Path(config.clusters_dir).is_dir()
