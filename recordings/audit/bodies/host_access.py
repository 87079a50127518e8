"""What of a pod reaches out of it: how `kubectl debug node/…` and its like take a node over, named in the record.

Kubernetes' Pod Security Standards, profile baseline, names the fields; this says which of them a body has, wherever its
pod template stands. A patch that only adds to what is there says only what it adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HOST_ACCESS = "kubewitness.dev/host-access"
"""The annotation: on the request that makes a pod or changes it, and on exec and attach."""
MAX_FINDINGS = 32
"""A pod with more is a hostile one; the record says so by its length."""
_HOST_FLAGS = ("hostPID", "hostNetwork", "hostIPC")
_DANGEROUS = frozenset(("ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH", "BPF"))
_TEMPLATES = (
    ("spec",),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("template", "spec"),
)
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def host_access(body: Any) -> tuple[str, ...]:
    """Such as `hostPath:/`, `hostPID`, `privileged:shell`, `capability:SYS_ADMIN:shell`; each once, in order."""
    found = dict.fromkeys(one for spec in _specs(body) for one in _of(spec))
    return tuple(found)[:MAX_FINDINGS]


def ephemeral_containers(body: Any) -> tuple[str, ...]:
    """Names of the ephemeral containers that a body or patch of `pods/ephemeralcontainers` holds."""
    return _names(body, ("ephemeralContainers",))


def containers(body: Any) -> tuple[str, ...]:
    """Names of all containers that a pod's body holds."""
    return _names(body, _CONTAINERS)


def _names(body: Any, kinds: tuple[str, ...]) -> tuple[str, ...]:
    found = (one.get("name") for spec in _specs(body) for kind in kinds for one in _list(spec, kind))
    return tuple(name for name in found if isinstance(name, str))[:MAX_FINDINGS]


def _specs(body: Any) -> Iterator[Mapping[str, Any]]:
    for path in _TEMPLATES:
        part = body
        for key in path:
            part = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping):
            yield part


def _of(spec: Mapping[str, Any]) -> Iterator[str]:
    for flag in _HOST_FLAGS:
        if spec.get(flag) is True:
            yield flag
    for volume in _list(spec, "volumes"):
        path = volume.get("hostPath")
        if isinstance(path, Mapping):
            yield f"hostPath:{path.get('path', '')}"
    for kind in _CONTAINERS:
        for container in _list(spec, kind):
            yield from _of_container(container)


def _of_container(container: Mapping[str, Any]) -> Iterator[str]:
    name, context = container.get("name", ""), container.get("securityContext")
    if not isinstance(context, Mapping):
        return
    if context.get("privileged") is True:
        yield f"privileged:{name}"
    capabilities = context.get("capabilities")
    added = capabilities.get("add") if isinstance(capabilities, Mapping) else None
    for capability in added if isinstance(added, list) else []:
        if isinstance(capability, str) and capability.upper().removeprefix("CAP_") in _DANGEROUS:
            yield f"capability:{capability.upper().removeprefix('CAP_')}:{name}"


def _list(part: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = part.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
