"""What is in the sandbox's shop when the story begins, put there as any client would: by the cluster's own API."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp

from proxy.cli.client.problem import Problem

NAMESPACE = "shop"
OPERATOR = "demo-operator"
"""Whom the cluster sees furnishing it."""
SECRET = "cGxhbnRlZA=="  # noqa: S105 - a made-up one, whose value must never be seen in the log
TIMEOUT_SECONDS = 20.0


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths below the API's root, and what is created there, in order."""
    here = f"/api/v1/namespaces/{NAMESPACE}"
    yield "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    for name in ("web-1", "web-2"):
        spec = {"containers": [{"name": "main", "image": "example/web:1"}]}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": "web"}}
        yield f"{here}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    settings = {"name": "settings", "namespace": NAMESPACE}
    yield (
        f"{here}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings, "data": {"colour": "blue"}},
    )
    card = {"name": "card-key", "namespace": NAMESPACE}
    yield (
        f"{here}/secrets",
        {"apiVersion": "v1", "kind": "Secret", "metadata": card, "type": "Opaque", "data": {"key": SECRET}},
    )


async def furnish(url: str, ca_pem: str, token: str) -> None:
    """Create what is not there. Raises Problem."""
    context = ssl.create_default_context(cadata=ca_pem)
    headers = {"Authorization": f"Bearer {token}", "Impersonate-User": OPERATOR, "Accept": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as client:
            for path, body in objects():
                async with client.post(url + path, json=body, ssl=context) as answer:
                    if answer.status not in {201, 409}:  # 409: it is there
                        said = (await answer.text())[:200]
                        raise Problem(f"the sandbox does not take {path}: {answer.status} {said}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Problem(f"the sandbox does not answer: {error!r}") from error
