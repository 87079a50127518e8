"""What kwit's account can do in a cluster, asked of the cluster: it answers, we may impersonate, nothing more.

Every question is harmless: a version, a list that must be refused, access reviews about ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from proxy.cluster_credentials import CredentialError
from proxy.clusters import Cluster
from proxy.direct_http import DirectAnswer, DirectError, ask
from proxy.finding import Finding, fail, ok, warn

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_MANIFEST = "apply the output of `kwit cluster manifest {name}` there as an administrator"
_FORMS = (("", "impersonate"), ("authentication.k8s.io", "impersonate:user-info"))
"""API group of `users`, verb: the plain form, the constrained form."""


async def probe(cluster: Cluster, now: float) -> list[Finding]:
    """Fetch the credential if need be and look at the cluster with it. Blocks for seconds when it is unreachable."""
    await cluster.credentials.refresh(now)
    if cluster.credentials.material is None:
        fix = "mend the credentials of its file, then try again"
        return [fail(_subject(cluster), f"no credential: {cluster.credentials.problem}", fix)]
    return list(examine(cluster))


def examine(cluster: Cluster) -> Iterator[Finding]:
    """The findings, in the order in which they are asked for; the first that makes the rest pointless is the last."""
    subject = _subject(cluster)
    try:
        version = _ask(cluster, "/version")
        yield _answers(cluster, version)
        if version.status not in {200, 403}:
            return
        yield _own_rights(cluster)
        yield _impersonation(cluster)
    except DirectError as error:
        yield fail(
            subject, f"{cluster.server} cannot be reached: {error}", "check server, CA and network from this host"
        )
    except CredentialError as error:
        yield fail(subject, str(error), "mend the credentials of its file, then try again")


def _own_rights(cluster: Cluster) -> Finding:
    """Without impersonation headers the account must be refused: then a bug of ours that loses them opens nothing."""
    subject, manifest = _subject(cluster), _MANIFEST.format(name=cluster.name)
    answer = _ask(cluster, "/api/v1/pods?limit=1")
    everything = _review(cluster, "*", "*", "*")
    if answer.status == 403 and not everything:
        return ok(subject, "without impersonation kwit's account is refused, as it should be")
    if answer.status == 200 or everything:
        what = "do everything" if everything else "list pods by itself"
        fix = f"use an account that can do nothing else: {manifest}"
        return warn(subject, f"kwit's account can do more than impersonate: it may {what}", fix)
    return warn(subject, f"listing pods without impersonation answered {answer.status}, not 403", manifest)


def _impersonation(cluster: Cluster) -> Finding:
    subject, manifest = _subject(cluster), _MANIFEST.format(name=cluster.name)
    answers = [_review(cluster, verb, group, "users") for group, verb in _FORMS]
    for allowed, (_, verb) in zip(answers, _FORMS, strict=True):
        if allowed:
            return ok(subject, f"kwit's account may {verb} users")
    if None in answers:
        return warn(subject, "the cluster does not say whether kwit's account may impersonate", manifest)
    return fail(subject, "kwit's account may not impersonate users", manifest)


def _review(cluster: Cluster, verb: str, group: str, resource: str) -> bool | None:
    """Whether our own account may; None where the cluster does not let us ask."""
    attributes = {"verb": verb, "group": group, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = _ask(cluster, _REVIEWS, method="POST", body=json.dumps(review).encode())
    if answer.status not in {200, 201}:
        return None
    try:
        return json.loads(answer.body)["status"]["allowed"] is True
    except (ValueError, KeyError, TypeError):
        return None


def _ask(cluster: Cluster, path: str, *, method: str = "GET", body: bytes | None = None) -> DirectAnswer:
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    authorization = cluster.authorization()
    if authorization is not None:
        headers["Authorization"] = authorization.decode()
    url = cluster.server.rstrip("/") + path
    context, name = cluster.ssl_context(), cluster.tls_server_name
    return ask(url, method=method, headers=headers, body=body, context=context, tls_server_name=name)


def _answers(cluster: Cluster, answer: DirectAnswer) -> Finding:
    subject, status = _subject(cluster), answer.status
    if status == 200:
        return ok(subject, f"{cluster.server} answers, Kubernetes {_git_version(answer.body)}")
    if status == 401:
        return fail(subject, "the cluster does not accept kwit's credential (401)", "fetch a new token or certificate")
    if status == 403:
        return warn(subject, "the cluster answers, but not which version it is (403)", "bind system:discovery to it")
    return fail(subject, f"/version answered {status}; is this an API server?", "check server in its file")


def _git_version(body: bytes) -> str:
    try:
        found = json.loads(body)["gitVersion"]
    except (ValueError, KeyError, TypeError):
        return "of unknown version"
    return "".join(c for c in str(found)[:40] if c.isprintable())


def _subject(cluster: Cluster) -> str:
    return f"cluster {cluster.name}"
