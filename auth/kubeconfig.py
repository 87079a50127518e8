"""A kubeconfig as text: our entries in, our entries out, every other byte as it was.

The text is parsed for positions only, and edited by cutting and inserting; it is never written anew. Rules upheld:

1. what is edited is parsed again, and must hold our entries and otherwise the same data, or nothing is returned;
2. block and flow style, comments, anchors, CRLF and JSON stay as their owner wrote them;
3. names come from servers, so only `[A-Za-z0-9._-]` gets into a file that kubectl executes commands from.

Reading and writing the file is the caller's. The forms: Kubernetes' client-go `clientcmd/api/v1` and
`client.authentication.k8s.io/v1`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

PREFIX = "kwit-"
"""Our contexts, clusters and users are called `kwit-<cluster>`."""
EXEC_API_VERSION = "client.authentication.k8s.io/v1"
MAX_TEXT = 4 * 1024 * 1024
"""Characters. A kubeconfig of 1,000 clusters with their CAs is 2 MiB."""

_SECTIONS = ("clusters", "users", "contexts")
_KEPT = {"clusters": ("proxy-url", "disable-compression", "extensions"), "contexts": ("namespace", "extensions")}
"""What a person may have added to an entry of ours by `kubectl config set-…`, and keeps when it is written anew."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
_NULL = "tag:yaml.org,2002:null"
_NEWLINE = re.compile(r"\r\n|\n|\r|$")
_HINT = "kubectl signs in with kubewitness: install it with `pipx install kubewitness`, then run `kwit login`"

_KINDS = {"clusters": "cluster", "users": "user", "contexts": "context"}


class KubeconfigError(Exception):
    """A kubeconfig that cannot be edited safely; the message names the place."""


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster as kubectl reaches it through us: `user` is the kubeconfig's user object as it stands there."""

    cluster: str
    server: str
    ca_pem: str
    user: Mapping[str, object]
    tls_server_name: str | None = None

    @property
    def name(self) -> str:
        return PREFIX + safe_name(self.cluster)


def safe_name(name: str) -> str:
    """The name itself. Raises KubeconfigError where it has anything but letters, digits, `.`, `_`, `-`."""
    if not _NAME.fullmatch(name):
        raise KubeconfigError(
            f"{name[:80]!r} is not a name that may stand there; only letters, digits, '.', '_', '-' are taken"
        )
    return name


def exec_user(command: str, args: Sequence[str]) -> dict[str, object]:
    """A user whose certificate comes from our plugin; it may ask on the terminal where there is one."""
    return {
        "exec": {
            "apiVersion": EXEC_API_VERSION,
            "command": command,
            "args": list(args),
            "env": None,
            "installHint": _HINT,
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": False,
        }
    }


def embedded_user(certificate_pem: str, key_pem: str) -> dict[str, object]:
    """A user that needs no plugin, until the certificate ends."""
    return {"client-certificate-data": _base64(certificate_pem), "client-key-data": _base64(key_pem)}


def exec_credential(certificate_pem: str, key_pem: str, expires: str) -> str:
    """What a plugin prints. `expires` is RFC 3339 by the client's clock: client-go never looks at the certificate."""
    status = {"expirationTimestamp": expires, "clientCertificateData": certificate_pem, "clientKeyData": key_pem}
    return json.dumps({"apiVersion": EXEC_API_VERSION, "kind": "ExecCredential", "status": status})


def whole(targets: Sequence[Target]) -> str:
    """A file of its own with just these targets; the first is the current context."""
    return merge("", targets)


def merge(text: str, targets: Sequence[Target]) -> str:
    """The text with an entry of each kind per target, theirs of the same name replaced.

    `current-context` is set only where there was none. Raises KubeconfigError.
    """
    before = _data(text)
    wanted = {section: {t.name: _entry(section, t, before) for t in targets} for section in _SECTIONS}
    current = targets[0].name if targets and not before.get("current-context") else None
    if not before:
        return _fresh(text, wanted, current)
    edited = text
    for section in _SECTIONS:
        old = _named(before, section)
        changed = {name: item for name, item in wanted[section].items() if old.get(name) != item}
        edited = _drop(edited, section, set(changed))
        for item in reversed(changed.values()):
            edited = _insert(edited, section, item)
    if current is not None:
        edited = _set_current(edited, current)
    _verify(before, edited, wanted, current)
    return edited


def remove(text: str, names: Sequence[str]) -> str:
    """The text without the entries of these names (`kwit-<cluster>`). Raises KubeconfigError."""
    before = _data(text)
    edited = text
    for section in _SECTIONS:
        edited = _drop(edited, section, set(names))
    current = "" if before.get("current-context") in names else None
    if current is not None:
        edited = _set_current(edited, current)
    wanted: dict[str, dict[str, Any]] = {section: dict.fromkeys(names) for section in _SECTIONS}
    _verify(before, edited, wanted, current)
    return edited


def ours(text: str, server: str) -> list[str]:
    """The names of contexts whose user asks our plugin for this server. Raises KubeconfigError."""
    found = []
    for name, item in _named(_data(text), "users").items():
        user = item.get("user")
        stanza = user.get("exec") if isinstance(user, dict) else None
        args = stanza.get("args") if isinstance(stanza, dict) else None
        if name.startswith(PREFIX) and isinstance(args, list) and "credential" in args and server in args:
            found.append(name)
    return found


def current_cluster(text: str) -> str | None:
    """The cluster of the current context, where that is one of ours. Raises KubeconfigError."""
    current = _data(text).get("current-context")
    return current.removeprefix(PREFIX) if isinstance(current, str) and current.startswith(PREFIX) else None


# What our entries say


def _entry(section: str, target: Target, before: Mapping[str, Any]) -> dict[str, Any]:
    kind = _KINDS[section]
    body: dict[str, Any] = dict(_body(section, target))
    old = _named(before, section).get(target.name, {}).get(kind)
    if isinstance(old, dict):
        body |= {key: old[key] for key in _KEPT.get(section, ()) if key in old and key not in body}
    return {kind: body, "name": target.name}


def _body(section: str, target: Target) -> Mapping[str, object]:
    if section == "users":
        return target.user
    if section == "contexts":
        return {"cluster": target.name, "user": target.name}
    body = {"certificate-authority-data": _base64(target.ca_pem), "server": target.server}
    return body | ({"tls-server-name": target.tls_server_name} if target.tls_server_name else {})


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


# Reading


def _node(text: str) -> yaml.MappingNode | None:
    """The document's mapping with its positions, or None where there is nothing but comments."""
    if len(text) > MAX_TEXT:
        raise KubeconfigError(f"it is larger than {MAX_TEXT} characters")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"it cannot be parsed: {_place(error)}") from error
    except RecursionError as error:
        raise KubeconfigError("it is nested too deeply") from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == _NULL):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise KubeconfigError("line 1: it is not a mapping with clusters, users and contexts")
    _refuse_duplicates(root)
    return root


def _refuse_duplicates(root: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in root.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise KubeconfigError(f"line {key.start_mark.line + 1}: {key.value!r} stands there twice")
            seen.add(key.value)


def _place(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())[:200]


def _data(text: str) -> dict[str, Any]:
    if _node(text) is None:
        return {}
    try:
        data: dict[str, Any] = yaml.safe_load(text)
    except (AttributeError, LookupError) as error:  # as PyYAML fails for `!!timestamp x` or `!!bool x`
        raise KubeconfigError("it cannot be parsed: a value that its tag does not have") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        place = _place(error) if isinstance(error, yaml.YAMLError) else str(error)[:200]
        raise KubeconfigError(f"it cannot be parsed: {place}") from error
    if not isinstance(data, dict):
        raise KubeconfigError("line 1: it is not a mapping with clusters, users and contexts")
    for section in _SECTIONS:
        items = data.get(section)
        if items is not None and not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
            raise KubeconfigError(f"{section}: expected a list of mappings with a name each")
    return data


def _named(data: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    return {str(item.get("name")): item for item in reversed(data.get(section) or [])}


def _find(text: str, key: str) -> tuple[yaml.MappingNode, yaml.ScalarNode | None, yaml.Node | None]:
    root = _node(text)
    if root is None:
        raise KubeconfigError("nothing is left of it")
    for name, value in root.value:
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            return root, name, value
    return root, None, None


# Editing


def _fresh(text: str, wanted: Mapping[str, Mapping[str, Any]], current: str | None) -> str:
    data: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    data |= {section: list(wanted[section].values()) for section in _SECTIONS}
    data["current-context"] = current or ""
    head = "".join(line + "\n" for line in text.splitlines() if line.lstrip().startswith("#"))
    edited = head + _dump(data)
    _verify({}, edited, wanted, current)
    return edited


def _dump(data: object) -> str:
    text: str = yaml.dump(data, Dumper=_Plain, default_flow_style=False, sort_keys=False, width=MAX_TEXT)
    return text


class _Plain(yaml.SafeDumper):
    """Without anchors: an entry must stand when its neighbour is taken out."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _insert(text: str, section: str, item: object) -> str:
    root, key, value = _find(text, section)
    if key is None or value is None:
        return _new_key(text, root, section, [item])
    if isinstance(value, yaml.ScalarNode):  # null, written or not
        return _replace(text, value, json.dumps([item]))
    if not isinstance(value, yaml.SequenceNode):
        raise KubeconfigError(f"{section}: expected a list")
    if value.flow_style:
        first = value.value[0].start_mark.index if value.value else text.index("[", value.start_mark.index) + 1
        return text[:first] + json.dumps(item) + (", " if value.value else "") + text[first:]
    at, newline = _line_end(text, key.end_mark.index)
    indent = " " * value.start_mark.column
    block = "".join(f"{indent}{line}{newline}" for line in _dump([item]).splitlines())
    return text[:at] + block + text[at:]


def _new_key(text: str, root: yaml.MappingNode, key: str, value: object) -> str:
    """A key before all others: there, nothing depends on how the file ends."""
    if not root.value:
        at = text.index("{", root.start_mark.index) + 1
        return f"{text[:at]}{json.dumps(key)}: {json.dumps(value)}{text[at:]}"
    mark = root.value[0][0].start_mark
    if root.flow_style:
        return f"{text[: mark.index]}{json.dumps(key)}: {json.dumps(value)}, {text[mark.index :]}"
    _, newline = _line_end(text, mark.index)
    indent: str = (newline or "\n") + " " * mark.column
    return f"{text[: mark.index]}{indent.join(_dump({key: value}).splitlines())}{indent}{text[mark.index :]}"


def _replace(text: str, value: yaml.Node, new: str) -> str:
    start: int = value.start_mark.index
    space = "" if text[start - 1].isspace() else " "
    end: int = value.end_mark.index
    return text[:start] + space + new + text[end:]


def _line_end(text: str, at: int) -> tuple[int, str]:
    match = _NEWLINE.search(text, at)
    assert match is not None  # `$` matches at the end
    return match.end(), match.group()


def _drop(text: str, section: str, names: set[str]) -> str:
    """Without the items of these names; later ones first, so that positions stay true."""
    while True:
        root, key, value = _find(text, section) if _node(text) is not None else (None, None, None)
        if root is None or key is None or not isinstance(value, yaml.SequenceNode):
            return text
        index = next((i for i, item in enumerate(value.value) if _item_name(item) in names), None)
        if index is None:
            return text
        text = _cut_flow(text, value, index) if value.flow_style else _cut_block(text, (root, key, value), index)


def _item_name(item: yaml.Node) -> str | None:
    for key, value in item.value if isinstance(item, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode) and key.value == "name" and isinstance(value, yaml.ScalarNode):
            return str(value.value)
    return None


def _cut_flow(text: str, value: yaml.SequenceNode, index: int) -> str:
    items = value.value
    start: int = items[index].start_mark.index
    end: int = items[index].end_mark.index
    if index + 1 < len(items):
        end = items[index + 1].start_mark.index
    elif index > 0:
        start = items[index - 1].end_mark.index
    return text[:start] + text[end:]


def _cut_block(text: str, where: tuple[yaml.MappingNode, yaml.ScalarNode, yaml.SequenceNode], index: int) -> str:
    root, key, value = where
    item = value.value[index]
    start = _line_start(text, text.rindex("-", 0, item.start_mark.index))
    last = _last(item)
    end = last if text[last - 1] in "\r\n" else _line_end(text, last)[0]
    if len(value.value) > 1:
        return text[:start] + text[end:]
    head, newline = _line_end(text, key.end_mark.index)
    line: int = _line_start(text, key.start_mark.index)
    if len(root.value) == 1 or text[line : key.start_mark.index].strip(" "):
        return f"{text[: key.end_mark.index]}: []{newline}{text[head:start]}{text[end:]}"
    return text[:line] + text[head:start] + text[end:]


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _last(node: yaml.Node) -> int:
    """Where the last character of a node's own text ends: a block collection's own mark lies past comments."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    tail = node.value[-1]
    return max(_last(tail[0]), _last(tail[1])) if isinstance(tail, tuple) else _last(tail)


def _set_current(text: str, name: str) -> str:
    root, key, value = _find(text, "current-context")
    if key is None or value is None:
        return _new_key(text, root, "current-context", name)
    return _replace(text, value, json.dumps(name))


def _verify(
    before: Mapping[str, Any], edited: str, wanted: Mapping[str, Mapping[str, Any]], current: str | None
) -> None:
    """Rule 1. An entry wanted as None must be gone."""
    try:
        _compare(before, _data(edited), wanted, current)
    except RecursionError as error:
        raise KubeconfigError("its form is one that cannot be edited safely: something in it holds itself") from error


def _compare(
    before: Mapping[str, Any], after: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]], current: str | None
) -> None:
    for section in _SECTIONS:
        mine = wanted[section]
        kept = [item for item in before.get(section) or [] if item.get("name") not in mine]
        others = [item for item in after.get(section) or [] if item.get("name") not in mine]
        found = _named(after, section)
        if kept != others or any(found.get(name) != item for name, item in mine.items()):
            raise KubeconfigError(f"{section}: its form is one that cannot be edited safely; write it as plain lists")
    rest = {k: v for k, v in before.items() if k not in (*_SECTIONS, "current-context")}
    after_rest = {k: v for k, v in after.items() if k not in (*_SECTIONS, "current-context")}
    expected = before.get("current-context") if current is None else current
    if (before and rest != after_rest) or (after.get("current-context") or "") != (expected or ""):
        raise KubeconfigError("its form is one that cannot be edited safely; write it as a plain mapping")
