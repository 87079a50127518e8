"""What a person of the demo does with the cluster, step by step, and what must come of it.

Each step is a kubectl command, and the request that says the same where there is no kubectl. What is expected was
read off the real programs; `judge` compares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from proxy.demo.engineer import Said

WHOAMI_MINOR = 28
"""kubectl 1.28 is the first that asks the API that is no beta."""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: main, image: "example/cart:1"}]}
"""
MANIFEST_FILE = "cart.yaml"
BIND = (
    "your cluster's own RBAC does not know the demo's group yet; as an administrator there, run\n"
    "kubectl create clusterrolebinding kwit-viewers --clusterrole=view --group=kwit:viewers"
)

_APPS = "/apis/apps/v1/namespaces/shop/deployments"
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_JSON = "application/json"


Line = tuple[str, str, str, str, str, str, str]
"""What the log says of a request: action, object, namespace, result, status code, role, rule."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of our own client, and the status and words of its answer."""

    method: str
    path: str
    status: int
    says: tuple[str, ...] = ()
    body: str = ""
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """`says`: words that must be in what kubectl says; `minor`: of the oldest kubectl that has the command.

    `lines`: what the log must have, single objects that kubectl reads on the way left out. `hint`: what to do if not.
    """

    title: str
    claim: str
    kubectl: tuple[str, ...]
    request: Request
    says: tuple[str, ...]
    lines: tuple[Line, ...]
    code: int = 0
    minor: int = 0
    hint: str = ""


_BOBS_REFUSAL = (
    '"delete" of pods "web-1" in namespace "shop" on cluster "sandbox" is not allowed by your roles (support)'
)
BOBS = (
    (Request("GET", "/api/v1/namespaces/shop/pods", 200, ("web-1",)), "bob, who is in support, may look at pods"),
    (
        Request("DELETE", "/api/v1/namespaces/shop/pods/web-1", 403, (_BOBS_REFUSAL,)),
        "and may not delete them",
    ),
)
"""What Bob sends, and the claim that it shows."""


def judge(step: Step, said: Said, *, with_kubectl: bool) -> str:
    """What is wrong with what was said; nothing where it is as it must be."""
    code = step.code if with_kubectl else int(step.request.status >= 400)
    words = step.says if with_kubectl else (f"{step.request.status} ", *step.request.says)
    if said.code != code:
        return f"exit code {said.code} instead of {code}"
    missing = [word for word in words if word not in said.out + said.err]
    return f"does not say {', '.join(map(repr, missing))}" if missing else ""


def whoami(role: str, rule: str) -> Step:
    """Whom the cluster takes the person for; the same everywhere."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    return Step(
        "Whom does the cluster see? A person, not a shared account:",
        "the cluster sees alice herself",
        ("auth", "whoami"),
        Request("POST", _REVIEWS, 201, ("alice",), json.dumps(review)),
        ("alice",),
        _changes("create", "selfsubjectreviews.authentication.k8s.io", "", "201", (role, rule)),
        minor=WHOAMI_MINOR,
    )


def refusals(cluster: str, namespace: str, role: str) -> tuple[Step, ...]:
    """What the role denies, and what no role allows."""
    place = f'in namespace "{namespace}" on cluster "{cluster}"'
    denied = f'"list" of secrets {place} is denied by role {role}, deny[0]'
    posing = (
        f'--as is not allowed: "impersonate" of users "bob" at the cluster scope on cluster "{cluster}" '
        f"is not allowed by your roles ({role})"
    )
    path = f"/api/v1/namespaces/{namespace}"
    return (
        Step(
            "The role denies secrets, and says so where it matters:",
            "secrets are refused, with the role and the rule that did it",
            ("get", "secrets", "-n", namespace),
            Request("GET", f"{path}/secrets", 403, (denied,)),
            (f"Error from server (Forbidden): {denied}",),
            (("list", "secrets", namespace, "refused", "403", role, "deny[0]"),),
            code=1,
        ),
        Step(
            "Nobody becomes somebody else by asking:",
            "--as is refused",
            ("get", "pods", "-n", namespace, "--as=bob"),
            Request("GET", f"{path}/pods", 403, (posing,), headers=(("Impersonate-User", "bob"),)),
            (f"Error from server (Forbidden): {posing}",),
            (("list", "pods", namespace, "refused", "403", role, ""),),
            code=1,
        ),
    )


def sandbox_story(cluster: str) -> tuple[Step, ...]:
    """A morning's work in the namespace `shop`."""
    shop, by = ("-n", "shop"), ("developer", "allow[0]")
    deployment = json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "cart"}},
                "template": {
                    "metadata": {"labels": {"app": "cart"}},
                    "spec": {"containers": [{"name": "main", "image": "example/cart:1"}]},
                },
            },
        }
    )
    merge = "application/merge-patch+json"
    return (
        Step(
            "kubectl works as ever:",
            "kubectl lists pods with a certificate of alice's own",
            ("get", "pods", *shop),
            Request("GET", "/api/v1/namespaces/shop/pods", 200, ("web-1", "web-2")),
            ("web-1", "web-2"),
            (("list", "pods", "shop", "done", "200", *by),),
        ),
        whoami("developer", "allow[2]"),
        Step(
            "So does everything else that the role allows:",
            "a deployment is created",
            ("apply", "-f", MANIFEST_FILE),
            Request("POST", _APPS, 201, ("cart",), deployment),
            ("deployment.apps/cart created",),
            _changes("create", "deployments.apps", "shop", "201", by),
        ),
        Step(
            "",
            "it is scaled",
            ("scale", "deployment", "cart", "--replicas=3", *shop),
            Request("PATCH", f"{_APPS}/cart/scale", 200, ("cart",), '{"spec": {"replicas": 3}}', merge),
            ("deployment.apps/cart scaled",),
            _changes("patch", "deployments.apps/cart/scale", "shop", "200", by),
        ),
        Step(
            "",
            "deployments are listed",
            ("get", "deployments", *shop),
            Request("GET", _APPS, 200, ("cart",)),
            ("cart", "3"),
            (("list", "deployments.apps", "shop", "done", "200", *by),),
        ),
        Step(
            "",
            "logs are read",
            ("logs", "web-1", "--tail=2", *shop),
            Request("GET", "/api/v1/namespaces/shop/pods/web-1/log?tailLines=2", 200),
            ("\n",),  # whatever the pod writes
            (("get", "pods/web-1/log", "shop", "done", "200", *by),),
        ),
        *refusals(cluster, "shop", "developer"),
    )


def reading_story(cluster: str) -> tuple[Step, ...]:
    """What can be shown in somebody's real cluster: nothing that changes it."""
    return (
        whoami("viewer", "allow[1]"),
        Step(
            "kubectl works as ever:",
            "kubectl lists pods with a certificate of alice's own",
            ("get", "pods", "-n", "default"),
            Request("GET", "/api/v1/namespaces/default/pods", 200),
            (),
            (("list", "pods", "default", "done", "200", "viewer", "allow[0]"),),
            hint=BIND,
        ),
        *refusals(cluster, "default", "viewer"),
    )


def _changes(action: str, what: str, namespace: str, code: str, by: tuple[str, str]) -> tuple[Line, ...]:
    """A write has a record before it and one after."""
    return (action, what, namespace, "intent", "", *by), (action, what, namespace, "done", code, *by)
