"""Promise 5, Least: a certificate is good for one cluster, for an hour, and only while the login behind it lives."""

from __future__ import annotations

import ssl

import aiohttp
import pytest
import yaml
from click.testing import CliRunner
from cryptography import x509

from auth.ca import new_ca
from auth.keystore import serving_certificate
from auth.locks import Lock, LockKind, LockTarget
from proxy.cli.commands import group
from tests.promises.conftest import Turned, Upstream
from tests.proxy.running import Running

PODS = "/api/v1/namespaces/default/pods"


def test_our_account_in_a_cluster_can_do_nothing_but_impersonate() -> None:
    text = CliRunner().invoke(group, ["cluster", "manifest", "staging", "--groups", "kwit:developers"]).output
    documents = [document for document in yaml.safe_load_all(text) if document]
    rules = [rule for one in documents if one["kind"] in ("ClusterRole", "Role") for rule in one["rules"]]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"impersonate"}
    bound = [one for one in documents if one["kind"].endswith("Binding")]
    assert {one["roleRef"]["name"] for one in bound} == {
        one["metadata"]["name"] for one in documents if one["kind"] == "ClusterRole"
    }
    assert [rule["resourceNames"] for rule in rules if rule["resources"] == ["groups"]] == [["kwit:developers"]]


async def test_a_certificate_is_for_one_cluster_and_an_hour_and_names_nobody(running: Running, ada) -> None:
    del ada
    wanted = {"cluster": "staging", "csr": running.engineer.csr()}
    document = await (await running.engineer.call("POST", "/api/v1/certificates", wanted)).json()
    certificate = x509.load_pem_x509_certificate(document["certificate"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"kwit://example/staging/{running.engineer.login_id}"]
    assert certificate.subject.rfc4514_string() == f"CN={running.engineer.login_id}"
    assert document["lifetime_seconds"] in (3599, 3600)  # a certificate has whole seconds
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() == 3600 + 300  # back-dated for clocks that are behind


async def test_after_its_hour_it_is_refused_with_401_so_that_kubectl_renews(
    running: Running, upstream: Upstream, ask, clock: Turned
) -> None:
    clock.ahead = 3590.0
    await running.app.in_force.refresh_state(clock())
    assert (await ask("GET", PODS)).status == 200
    clock.ahead = 3610.0
    await running.app.in_force.refresh_state(clock())
    answer = await ask("GET", PODS)
    assert (answer.status, len(upstream.seen)) == (401, 1)
    assert answer.message.startswith("the certificate has expired")


@pytest.mark.parametrize("how", ["logout", "ended", "locked", "role", "stale"])
async def test_it_ends_with_what_stands_behind_it(
    how: str, running: Running, upstream: Upstream, ask, clock: Turned
) -> None:
    assert (await ask("GET", PODS)).status == 200
    store, login = running.app.in_force._store, running.engineer.login_id
    if how == "logout":
        assert (await running.engineer.call("DELETE", "/api/v1/logins/current")).status == 204
    elif how == "ended":
        await store.end_login(login, clock(), "the identity provider ended it")  # type: ignore[arg-type]
    elif how == "locked":
        await store.add_lock(Lock("l1", LockTarget(LockKind.LOGIN, login), "stolen", clock(), "sec"))
    elif how == "stale":
        clock.ahead = 3599.0 - 60.0
        running.app.in_force.live._logins = {
            key: value.__class__(**{f: getattr(value, f) for f in value.__slots__} | {"groups_checked_at": 0.0})
            for key, value in running.app.in_force.live._logins.items()
        }
    if how == "role":
        (running.folder / "roles" / "roles.yaml").unlink()
        for _ in range(2):
            running.app.in_force.roles.poll()
    else:
        await running.app.in_force.refresh_state(clock())
    answer = await ask("GET", PODS)
    assert (answer.status, len(upstream.seen)) == (403, 1)


async def test_nobody_elses_certificate_opens_a_connection(running: Running, upstream: Upstream) -> None:
    issued_at = 1_790_000_000.0
    stranger = serving_certificate(running.folder, "it", new_ca("stranger", issued_at), ["x"], now=issued_at)
    context = ssl.create_default_context(cafile=running.config.ca_directory / "servers.crt")
    context.load_cert_chain(*stranger)
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get(running.config.kube.url + PODS, ssl=context)
    assert upstream.seen == []
