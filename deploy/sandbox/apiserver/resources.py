"""The verbs of the API on the kinds that the sandbox keeps: a request in, an object or a list out, nothing awaited.

Watches and logs are in `watching` and `pod_log`; what is said of access is in `access`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from deploy.sandbox.apiserver import managed_fields
from deploy.sandbox.apiserver.admission import Admitted, admitted, read, shaped
from deploy.sandbox.apiserver.controllers import Controllers
from deploy.sandbox.apiserver.kinds import KINDS, NAMESPACE, POD, SERVICE, SERVICE_ACCOUNT, Kind, Object
from deploy.sandbox.apiserver.managed_fields import Manager
from deploy.sandbox.apiserver.objects import Objects
from deploy.sandbox.apiserver.paging import chunk, read_token
from deploy.sandbox.apiserver.patching import APPLY, patched, read_patch
from deploy.sandbox.apiserver.problem import (
    Cause,
    Problem,
    bad_request,
    deleted_conflict,
    forbidden,
    no_such_resource,
    not_allowed,
)
from deploy.sandbox.apiserver.selectors import Selector, select
from deploy.sandbox.apiserver.server_side_apply import applied
from proxy.request_info import RequestInfo
from proxy.target import Target

_IMMORTAL = ("default", "kube-system", "kube-public")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as the API looks at it. `agent` is the client's own name for itself."""

    info: RequestInfo
    target: Target
    media_type: str = ""
    body: bytes = b""
    agent: str = ""

    def number(self, name: str) -> int:
        """A query parameter as a whole number; 0 where it is absent. Raises Problem 400."""
        text = self.target.first(name) or "0"
        try:
            return int(text)
        except ValueError as error:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error

    def flag(self, name: str) -> bool:
        """Kubernetes' query booleans."""
        text = self.target.first(name)
        return text is not None and text.lower() not in ("0", "false")

    def manager(self, kind: Kind, operation: str) -> Manager:
        name = self.target.first("fieldManager") or self.agent.partition("/")[0] or "unknown"
        return Manager(name[:128], operation, kind.api_version, self.info.subresource)


@dataclass(frozen=True, slots=True)
class Answer:
    """`items` where it is a list, whose metadata then is in `object`."""

    object: Object
    status: int = 200
    items: list[Object] | None = None
    warnings: tuple[str, ...] = field(default=())


class Resources:
    """Every change is followed by what the controllers make of it, where there are controllers."""

    def __init__(self, objects: Objects, controllers: Controllers | None) -> None:
        self.objects, self._controllers = objects, controllers

    def answer(self, kind: Kind, asked: Asked) -> Answer:
        """Raises Problem."""
        info = asked.info
        if info.subresource:
            sub = kind.subresource(info.subresource)
            if sub is None:
                raise no_such_resource()
            if info.verb not in sub.verbs:
                raise not_allowed()
            result = self._subresource(kind, asked)
        else:
            homeless = info.verb == "create" and kind.namespaced and not info.namespace
            nameless = info.verb in ("update", "patch") and not info.name
            if info.verb not in kind.verbs or homeless or nameless:
                raise not_allowed()
            result = self._whole(kind, asked)
        if self._controllers is not None:
            self._controllers.settle()
        return result

    def _whole(self, kind: Kind, asked: Asked) -> Answer:
        match asked.info.verb:
            case "get":
                return Answer(self._get(kind, asked))
            case "list":
                return self._list(kind, asked)
            case "create":
                return self._create(kind, asked)
            case "update":
                return self._update(kind, asked)
            case "patch":
                return self._patch(kind, asked)
            case "delete":
                return self._delete(kind, asked)
            case "deletecollection":
                return self._delete_all(kind, asked)
            case _:
                raise not_allowed()

    def _get(self, kind: Kind, asked: Asked) -> Object:
        return self.objects.get(kind, asked.info.namespace if kind.namespaced else "", asked.info.name)

    # -- lists

    def selected(self, kind: Kind, asked: Asked) -> Selector:
        """What the request selects. Raises Problem 400."""
        info = asked.info
        return select(kind, info.label_selector, info.field_selector)

    def _list(self, kind: Kind, asked: Asked) -> Answer:
        selector, limit = self.selected(kind, asked), max(0, asked.number("limit"))
        if asked.number("resourceVersion") > self.objects.version:
            raise _too_large(asked.number("resourceVersion"), self.objects.version)
        text = asked.target.first("continue")
        token = read_token(text) if text else None
        version = token.version if token else self.objects.version
        namespace = asked.info.namespace if kind.namespaced else ""
        found = self.objects.all(kind, namespace, token.version if token else None)
        items, more, remaining = chunk([o for o in found if selector.matches(o)], limit, token, version)
        metadata: Object = {"resourceVersion": str(version)}
        if more is not None:
            metadata["continue"] = more.text()
            if selector.selects_all:
                metadata["remainingItemCount"] = remaining
        return Answer(metadata, items=items)

    # -- changes

    def _create(self, kind: Kind, asked: Asked) -> Answer:
        given = self._given(kind, asked)
        metadata = given.object["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + self.objects.suffix()
        o = admitted(kind, given.object)
        manager = asked.manager(kind, "Update")
        return Answer(self._store_new(kind, asked, o, manager), 201, warnings=given.warnings)

    def _store_new(self, kind: Kind, asked: Asked, o: Object, manager: Manager | None) -> Object:
        if kind is SERVICE:
            self._give_address(o)
        o["metadata"].pop("managedFields", None) if manager else None
        if manager is not None:
            o = managed_fields.updated(kind, o, None, manager, self.objects.now())
        return self.objects.create(kind, asked.info.namespace if kind.namespaced else "", o, dry=_dry(asked))

    def _give_address(self, service: Object) -> None:
        spec = service["spec"]
        if spec["type"] != "ExternalName":
            number = self.objects.version
            spec.setdefault("clusterIP", f"10.96.{number // 254 % 256}.{number % 254 + 1}")
            spec.setdefault("clusterIPs", [spec["clusterIP"]])

    def _given(self, kind: Kind, asked: Asked) -> Admitted:
        """The body's object, shaped, with the URL's namespace. Raises Problem 400, 415."""
        validation = _one_of(asked, "fieldValidation", ("", "Ignore", "Strict", "Warn"))
        given = shaped(kind, read(kind.kind, asked.media_type, asked.body), validation)
        self._place(kind, asked, given.object)
        return given

    def _place(self, kind: Kind, asked: Asked, o: Object) -> None:
        """Name and namespace of URL and body must be the same."""
        metadata, info = o["metadata"], asked.info
        if kind.namespaced and metadata.setdefault("namespace", info.namespace) != info.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not kind.namespaced:
            metadata.pop("namespace", None)
        if info.name and metadata.setdefault("name", info.name) != info.name:
            said = f"the name of the object ({metadata['name']}) does not match the name on the URL ({info.name})"
            raise bad_request(said)

    def _update(self, kind: Kind, asked: Asked) -> Answer:
        old, given = self._get(kind, asked), self._given(kind, asked)
        return Answer(self._replace(kind, asked, old, given.object), warnings=given.warnings)

    def _replace(self, kind: Kind, asked: Asked, old: Object, new: Object, manager: Manager | None = None) -> Object:
        """`new` is shaped. A manager that is given has written its fields already."""
        if kind.has_status:
            ours, theirs = ("status", "") if asked.info.subresource == "status" else ("", "status")
            if ours:
                new = old | {"status": new.get("status", {}), "metadata": old["metadata"] | _version(new)}
            elif theirs in old:
                new = new | {theirs: old[theirs]}
        if kind is SERVICE and "clusterIP" in old["spec"]:
            new["spec"].setdefault("clusterIP", old["spec"]["clusterIP"])
            new["spec"].setdefault("clusterIPs", old["spec"].get("clusterIPs", []))
        new = admitted(kind, new, old)
        if manager is None:
            new["metadata"].setdefault("managedFields", old["metadata"].get("managedFields", []))
            new = managed_fields.updated(kind, new, old, asked.manager(kind, "Update"), self.objects.now())
        return self.objects.replace(kind, new, dry=_dry(asked))

    def _patch(self, kind: Kind, asked: Asked) -> Answer:
        patch = read_patch(asked.media_type, asked.body)
        if asked.media_type == APPLY:
            return self._apply(kind, asked, patch)
        old = self._get(kind, asked)
        validation = _one_of(asked, "fieldValidation", ("", "Ignore", "Strict", "Warn"))
        given = shaped(kind, patched(kind.kind, asked.media_type, old, patch), validation, is_patched=True)
        self._place(kind, asked, given.object)
        return Answer(self._replace(kind, asked, old, given.object), warnings=given.warnings)

    def _apply(self, kind: Kind, asked: Asked, patch: Object) -> Answer:
        if not asked.target.first("fieldManager"):
            raise _invalid_option("PatchOptions", Cause.required("fieldManager", "is required for apply patch"))
        validation = _one_of(asked, "fieldValidation", ("", "Ignore", "Strict", "Warn"))
        given = shaped(kind, patch, validation)
        self._place(kind, asked, given.object)
        if given.object["metadata"].pop("managedFields", None):
            raise bad_request("metadata.managedFields must be nil")
        manager, now = asked.manager(kind, "Apply"), self.objects.now()
        if (patch.get("apiVersion"), patch.get("kind")) != (kind.api_version, kind.kind):
            group, _, version = str(patch.get("apiVersion", "")).rpartition("/")
            raise bad_request(f"invalid object type: {group}/{version}, Kind={patch.get('kind', '')}")
        wanted = _said(given.object, patch)
        old = self.objects.find(kind, asked.info.namespace if kind.namespaced else "", asked.info.name)
        if old is None:
            fresh = admitted(kind, given.object)
            empty: Object = {"metadata": {}}
            marks = applied(kind, wanted, empty, manager, now, force=True)["metadata"].get("managedFields", [])
            fresh["metadata"]["managedFields"] = marks
            return Answer(self._store_new(kind, asked, fresh, None), 201, warnings=given.warnings)
        merged = applied(kind, wanted, old, manager, now, force=asked.flag("force"))
        merged["metadata"] |= _version(given.object)
        new = shaped(kind, merged).object
        return Answer(self._replace(kind, asked, old, new, manager), warnings=given.warnings)

    # -- deletion

    def _delete(self, kind: Kind, asked: Asked) -> Answer:
        old, options = self._get(kind, asked), self._options(asked)
        name = old["metadata"]["name"]
        if kind is NAMESPACE and name in _IMMORTAL:
            raise forbidden(kind, name, "this namespace may not be deleted")
        self._precondition(kind, old, options.get("preconditions", {}))
        o, gone = self._remove(kind, old, asked, options)
        if kind is POD:
            ended = {"deletionTimestamp": self.objects.now(), "deletionGracePeriodSeconds": 0}
            ended["generation"] = o["metadata"]["generation"] + 1
            o = o | {"metadata": o["metadata"] | ended}
        if kind in (POD, SERVICE, SERVICE_ACCOUNT) or not gone:
            return Answer(o)
        group = {"group": kind.group} if kind.group else {}
        about = {"name": name, **group, "kind": kind.resource, "uid": o["metadata"]["uid"]}
        return Answer(_success(about))

    def _remove(self, kind: Kind, old: Object, asked: Asked, options: Object) -> tuple[Object, bool]:
        metadata = old["metadata"]
        dry = _dry(asked) or "All" in options.get("dryRun", ())
        policy = options.get("propagationPolicy") or asked.target.first("propagationPolicy")
        if not dry and (policy == "Orphan" or options.get("orphanDependents") is True):
            self._orphan(metadata["uid"])
        return self.objects.delete(kind, metadata.get("namespace", ""), metadata["name"], dry=dry)

    def _orphan(self, uid: str) -> None:
        """What it owned stays, and is nobody's."""
        for (qualified, _, _), o in self.objects.owned(uid):
            metadata = dict(o["metadata"])
            metadata["ownerReferences"] = [owner for owner in metadata["ownerReferences"] if owner["uid"] != uid]
            if not metadata["ownerReferences"]:
                del metadata["ownerReferences"]
            kind = next(kind for kind in KINDS if kind.qualified == qualified)
            self.objects.replace(kind, o | {"metadata": metadata})

    def _options(self, asked: Asked) -> Object:
        options = read("DeleteOptions", asked.media_type, asked.body) if asked.body else {}
        policy = options.get("propagationPolicy") or asked.target.first("propagationPolicy")
        if policy not in (None, "", "Foreground", "Background", "Orphan"):
            shown = '"Foreground", "Background", "Orphan", "nil"'
            said = f'Unsupported value: "{policy}": supported values: {shown}'
            raise _invalid_option("DeleteOptions", Cause("FieldValueNotSupported", said, "propagationPolicy"))
        return options

    @staticmethod
    def _precondition(kind: Kind, old: Object, wanted: Any) -> None:
        has = old["metadata"]
        for key, what in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            said = wanted.get(key) if isinstance(wanted, dict) else None
            if said is not None and said != has[key]:
                why = (
                    f"the {what} in the precondition ({said}) does not match the {what} in record ({has[key]}). "
                    "The object might have been deleted and then recreated"
                )
                raise deleted_conflict(kind, has["name"], why)

    def _delete_all(self, kind: Kind, asked: Asked) -> Answer:
        selector, options = self.selected(kind, asked), self._options(asked)
        namespace = asked.info.namespace if kind.namespaced else ""
        found = [o for o in self.objects.all(kind, namespace) if selector.matches(o)]
        gone = [self._remove(kind, o, asked, options)[0] for o in found]
        return Answer({"resourceVersion": str(self.objects.version)}, items=gone)

    # -- subresources

    def _subresource(self, kind: Kind, asked: Asked) -> Answer:
        info = asked.info
        if info.subresource == "scale":
            return self._scale(kind, asked)
        if info.subresource == "eviction":
            self.objects.delete(kind, info.namespace, info.name, dry=_dry(asked))
            return Answer(_success(None), 201)
        if info.subresource == "status":
            return {"get": lambda: Answer(self._get(kind, asked)), "update": lambda: self._update(kind, asked)}.get(
                info.verb, lambda: self._patch(kind, asked)
            )()
        raise no_such_resource()

    def _scale(self, kind: Kind, asked: Asked) -> Answer:
        old = self._get(kind, asked)
        scale = _scale_of(old)
        if asked.info.verb == "get":
            return Answer(scale)
        if asked.info.verb == "patch":
            wanted = patched("Scale", asked.media_type, scale, read_patch(asked.media_type, asked.body))
        else:
            wanted = read("Scale", asked.media_type, asked.body)
        replicas = wanted.get("spec", {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            cause = Cause.invalid("spec.replicas", str(replicas), "must be greater than or equal to 0")
            raise _invalid_scale(asked.info.name, cause)
        metadata = old["metadata"] | _version(wanted)
        new = shaped(kind, old | {"spec": old["spec"] | {"replicas": replicas}, "metadata": metadata}).object
        return Answer(_scale_of(self._replace(kind, asked, old, new)))


def _version(o: Object) -> Object:
    """The precondition that a change brings, if it does."""
    found = o.get("metadata", {}).get("resourceVersion")
    return {"resourceVersion": found} if found else {}


def _said(shaped_object: Object, patch: Object) -> Object:
    """Of a shaped object what the patch itself says: what a shape always has is nobody's wish."""
    result = {}
    for key, value in shaped_object.items():
        if key in patch:
            inner = patch[key]
            result[key] = _said(value, inner) if isinstance(value, dict) and isinstance(inner, dict) else value
    return result


def _dry(asked: Asked) -> bool:
    values = asked.target.all("dryRun")
    if any(value != "All" for value in values if value):
        said = f'Unsupported value: {json.dumps(values)}: supported values: "All"'
        cause = Cause("FieldValueNotSupported", said, "dryRun")
        raise _invalid_option("CreateOptions", cause)
    return "All" in values


def _one_of(asked: Asked, name: str, values: tuple[str, ...]) -> str:
    value = asked.target.first(name) or ""
    if value not in values:
        shown = ", ".join(f'"{one}"' for one in values)
        cause = Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {shown}', name)
        raise _invalid_option("CreateOptions", cause)
    return value


def _invalid_option(kind: str, cause: Cause) -> Problem:
    message = f'{kind}.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
    causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
    return Problem(422, "Invalid", message, {"group": "meta.k8s.io", "kind": kind, "causes": causes})


def _invalid_scale(name: str, cause: Cause) -> Problem:
    message = f'Scale.autoscaling "{name}" is invalid: {cause.field}: {cause.message}'
    causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
    return Problem(422, "Invalid", message, {"name": name, "group": "autoscaling", "kind": "Scale", "causes": causes})


def _too_large(wanted: int, newest: int) -> Problem:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {newest}"
    return Problem(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def _success(about: Object | None) -> Object:
    status: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return status | ({"details": about} if about else {"code": 201})


def _scale_of(o: Object) -> Object:
    keys = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = ",".join(f"{k}={v}" for k, v in sorted(o["spec"]["selector"].get("matchLabels", {}).items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: o["metadata"][key] for key in keys},
        "spec": {"replicas": o["spec"]["replicas"]} if o["spec"]["replicas"] else {},
        "status": {"replicas": o["status"].get("replicas", 0), "selector": selector},
    }
