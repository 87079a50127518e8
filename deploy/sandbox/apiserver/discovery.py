"""What the sandbox offers: /api, /apis and below, plain and aggregated (apidiscovery.k8s.io), and /version."""

from __future__ import annotations

from deploy.sandbox.apiserver.kinds import KINDS, REVIEWS, Kind, Object

VERSION: Object = {
    "major": "1", "minor": "36", "gitVersion": "v1.36.0-sandbox", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
}  # fmt: skip
GROUPS = ("apiextensions.k8s.io", "apps", "authentication.k8s.io", "authorization.k8s.io")
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def kinds_of(group: str) -> list[Kind]:
    """The kinds of a group, by name."""
    return sorted((kind for kind in (*KINDS, *REVIEWS) if kind.group == group), key=lambda kind: kind.resource)


def plain(path: str) -> Object | None:
    """The document at a path, None where there is none."""
    documents: dict[str, Object] = {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in GROUPS]},
        "/api/v1": _resources(""),
        "/": {"paths": ["/api", "/api/v1", "/apis", *(f"/apis/{g}{v}" for g in GROUPS for v in ("", "/v1"))]},
    }
    for name in GROUPS:
        documents[f"/apis/{name}"] = {"kind": "APIGroup", "apiVersion": "v1"} | _group(name)
        documents[f"/apis/{name}/v1"] = _resources(name)
    return documents.get(path.rstrip("/") or "/")


def aggregated(path: str, accept: str) -> tuple[Object, str] | None:
    """The document at /api or /apis and its content type, where the client would rather have the aggregated form."""
    if path not in ("/api", "/apis"):
        return None
    for choice in accept.replace(" ", "").split(","):
        for version in ("v2", "v2beta1"):
            wanted = _AGGREGATED.format(version=version)
            if sorted(choice.split(";")) == sorted(wanted.split(";")):
                groups = ("",) if path == "/api" else GROUPS
                items = [_aggregated_group(name) for name in groups]
                api_version = f"apidiscovery.k8s.io/{version}"
                document = {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}
                return document, wanted
        if choice.partition(";")[0] == choice:  # plain JSON comes first
            return None
    return None


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    resources: list[Object] = []
    for kind in kinds_of(group):
        about: Object = {"name": kind.resource, "singularName": kind.singular, "namespaced": kind.namespaced}
        resources.append(about | {"kind": kind.kind, "verbs": list(kind.verbs)} | _names(kind))
        for sub in kind.subresources:
            about = {"name": f"{kind.resource}/{sub.name}", "singularName": "", "namespaced": kind.namespaced}
            where = (
                dict(zip(("group", "version"), sub.group_version.split("/"), strict=False)) if sub.group_version else {}
            )
            resources.append(about | where | {"kind": sub.kind, "verbs": list(sub.verbs)})
    group_version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _names(kind: Kind) -> Object:
    short = {"shortNames": list(kind.short)} if kind.short else {}
    return short | ({"categories": list(kind.categories)} if kind.categories else {})


def _aggregated_group(name: str) -> Object:
    resources = []
    for kind in kinds_of(name):
        about: Object = {
            "resource": kind.resource,
            "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": list(kind.verbs),
        }
        subresources = []
        for sub in kind.subresources:
            group, _, version = (sub.group_version or kind.api_version).rpartition("/")
            response = {"group": group, "version": version, "kind": sub.kind}
            subresources.append({"subresource": sub.name, "responseKind": response, "verbs": list(sub.verbs)})
        resources.append(about | _names(kind) | ({"subresources": subresources} if subresources else {}))
    metadata = {"name": name} if name else {}
    return {"metadata": metadata, "versions": [{"version": "v1", "resources": resources, "freshness": "Current"}]}
