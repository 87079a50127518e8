"""Example objects: a small shop in two namespaces, whose names say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Seed = tuple[str, dict[str, Any]]
"""Path below the API's root, and what is created there."""
_NAMESPACES = ("shop-dev", "shop-prod")
_REPLICAS = {"shop-dev": 1, "shop-prod": 3}
CARD_KEY = "cGxhbnRlZA=="
"""Made up: a value that must never be seen in a log."""


def seeds() -> Iterator[Seed]:
    """In an order in which they can be created."""
    for namespace in _NAMESPACES:
        stage = namespace.removeprefix("shop-")
        yield "/api/v1/namespaces", _object("v1", "Namespace", namespace, {"stage": stage})
        here = f"/namespaces/{namespace}"
        settings = _object("v1", "ConfigMap", "settings", {"app": "shop"})
        colour = "blue" if stage == "dev" else "green"
        yield f"/api/v1{here}/configmaps", settings | {"data": {"colour": colour, "currency": "EUR"}}
        for name, version in (("cart", "1.4"), ("payments", "2.0")):
            yield f"/apis/apps/v1{here}/deployments", _deployment(name, version, _REPLICAS[namespace])
            spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
            yield f"/api/v1{here}/services", _object("v1", "Service", name, {"app": name}) | {"spec": spec}
        container = {"name": "main", "image": "example/report:0.9"}
        report = _object("v1", "Pod", "nightly-report", {"app": "report"})
        yield f"/api/v1{here}/pods", report | {"spec": {"containers": [container]}}
    card = _object("v1", "Secret", "card-key", {"app": "payments"})
    yield "/api/v1/namespaces/shop-prod/secrets", card | {"type": "Opaque", "data": {"key": CARD_KEY}}


def _object(api_version: str, kind: str, name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels}}


def _deployment(name: str, version: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    container = {
        "name": "main",
        "image": f"example/{name}:{version}",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", "Deployment", name, labels) | {"spec": spec}
