"""Which requests a kubectl command makes: for questions about commands, asked without a cluster.

What kubectl sends depends on what it finds; this is what it sends when all goes well, without discovery. A command
whose requests follow from a file is asked about by the resource that the file holds: `kubectl apply deployment/web`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from proxy.kubernetes_resources import Resource, resource_named

MAX_CHARACTERS = 4_096
_SHELL = frozenset(("|", "||", "&", "&&", ";", ">", ">>", "<"))
_WITH_VALUE = frozenset(
    (
        "-n", "--namespace", "-c", "--container", "-l", "--selector", "-o", "--output", "-p", "--patch", "--type",
        "-f", "--filename", "-k", "--kustomize", "--image", "--as", "--as-group", "--context", "--cluster", "--user",
        "--kubeconfig", "-s", "--server", "--replicas", "--field-selector", "--since", "--tail", "--target",
        "--subresource", "--profile", "--from-literal", "--from-file", "--timeout", "--for", "--port", "--target-port",
        "--grace-period",
    )
)  # fmt: skip
"""Options whose value may be the next word."""
_POD_WORDS = ("exec", "attach", "cp", "port-forward", "logs", "debug")


class KubectlCommandError(ValueError):
    """Not a command that can be asked about; the message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, in the words of the API."""

    verb: str
    resource: Resource
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = ".".join(filter(None, (self.resource.plural, self.resource.api_group)))
        what = f"{what}/{self.subresource}" if self.subresource else what
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {what}{f' {self.name}' if self.name else ''}{where}"


@dataclass(frozen=True, slots=True)
class _Words:
    words: tuple[str, ...]
    namespace: str
    flags: frozenset[str]


def requests_of(command: str) -> tuple[Asked, ...]:
    """The requests of one command line, in the order in which kubectl sends them. Raises KubectlCommandError."""
    if len(command) > MAX_CHARACTERS:
        raise KubectlCommandError(f"a command of at most {MAX_CHARACTERS} characters")
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise KubectlCommandError(f"the command's quotes do not close: {command}") from error
    ours = argv[: argv.index("--")] if "--" in argv else argv
    if shell := next((word for word in ours if word in _SHELL), ""):
        raise KubectlCommandError(f"one command of kubectl; {shell!r} and what follows is the shell's affair")
    if argv[:1] == ["kubectl"]:
        argv = argv[1:]
    split = _split(argv)
    if not split.words:
        raise KubectlCommandError('a command such as "kubectl delete secret x -n y"')
    word, rest = split.words[0], split.words[1:]
    if word in _POD_WORDS:
        return tuple(_of_pod(word, rest, split))
    handler = _HANDLERS.get(word)
    if handler is None:
        known = ", ".join(sorted((*_HANDLERS, *_POD_WORDS)))
        raise KubectlCommandError(f"`kubectl {word}` cannot be asked about; these can: {known}")
    return tuple(handler(rest, split))


def _split(argv: Sequence[str]) -> _Words:
    words, flags, namespace = [], set(), "default"
    pending = ""
    for position, word in enumerate(argv):
        if pending:
            namespace = word if pending in ("-n", "--namespace") else namespace
            pending = ""
        elif word == "--":
            break
        elif word.startswith("-") and len(word) > 1:
            name, equals, value = word.partition("=")
            flags.add(name)
            if not equals and name in _WITH_VALUE and position + 1 < len(argv):
                pending = name
            elif name in ("-n", "--namespace") and equals:
                namespace = value
            elif word.startswith("-n") and not word.startswith("--") and len(word) > 2:
                namespace = word[2:].removeprefix("=")
        else:
            words.append(word)
    return _Words(tuple(words), namespace, frozenset(flags))


def _named(rest: Sequence[str], split: _Words, *, need_name: bool = False) -> Iterator[tuple[Resource, str, str]]:
    """(resource, namespace, name or empty) for `pods`, `pods a b`, `pod/a svc/b`, `pods,svc`."""
    if not rest:
        raise KubectlCommandError("name what it is about, such as `deployment/web`; a file cannot be read here")
    pairs: list[tuple[str, str]] = []
    if "/" in rest[0]:
        pairs = [(word.partition("/")[0], word.partition("/")[2]) for word in rest if "/" in word]
    else:
        pairs = [(kind, name) for kind in rest[0].split(",") for name in (rest[1:] or ("",))]
    for kind, name in pairs:
        resource = resource_named(kind)
        if resource is None:
            raise KubectlCommandError(
                f"{kind!r} is no resource of Kubernetes' own; write others in full, such as widgets.example.com"
            )
        if need_name and not name:
            raise KubectlCommandError(f"name one of the {resource.plural}, such as {resource.plural}/NAME")
        everywhere = "-A" in split.flags or "--all-namespaces" in split.flags
        yield resource, split.namespace if resource.namespaced and not everywhere else "", name


_Handler = Callable[[Sequence[str], _Words], Iterator[Asked]]


def _get(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    watches = bool({"-w", "--watch", "--watch-only"} & split.flags)
    for resource, namespace, name in _named(rest, split):
        yield Asked("get" if name else "list", resource, "", namespace, name)
        if watches:
            yield Asked("watch", resource, "", namespace, name)


def _describe(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    for resource, namespace, name in _named(rest, split):
        yield Asked("get" if name else "list", resource, "", namespace, name)
        yield Asked("list", Resource("", "events"), "", namespace)


def _delete(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    for resource, namespace, name in _named(rest, split):
        if not name:
            yield Asked("list", resource, "", namespace)
        yield Asked("delete", resource, "", namespace, name)


def _create(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    if list(rest[:1]) == ["token"]:
        yield Asked("create", Resource("", "serviceaccounts"), "token", split.namespace, "".join(rest[1:2]))
        return
    if list(rest[:1]) == ["secret"] and list(rest[1:2]) in (["generic"], ["tls"], ["docker-registry"]):
        rest = ("secret", *rest[2:])
    for resource, namespace, name in _named(rest, split):
        yield Asked("create", resource, "", namespace, name)


def _apply(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    for resource, namespace, name in _named(rest, split):
        yield Asked("get", resource, "", namespace, name)
        yield Asked("patch", resource, "", namespace, name)


def _change(verb: str, subresource: str = "", *, reads: bool = True) -> _Handler:
    def asked(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
        for resource, namespace, name in _named(rest, split, need_name=True):
            if reads:
                yield Asked("get", resource, "", namespace, name)
            yield Asked(verb, resource, subresource, namespace, name)

    return asked


def _rollout(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    for resource, namespace, name in _named(rest[1:], split, need_name=True):
        yield Asked("get", resource, "", namespace, name)
        if list(rest[:1]) == ["status"]:
            yield Asked("watch", resource, "", namespace, name)
        elif list(rest[:1]) != ["history"]:
            yield Asked("patch", resource, "", namespace, name)


def _run(rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    pod = _need_pod(rest)
    yield Asked("create", _POD, "", split.namespace, pod)
    if {"-i", "-it", "-ti", "--stdin", "--attach"} & split.flags:
        yield Asked("watch", _POD, "", split.namespace, pod)
        yield Asked("get", _POD, "attach", split.namespace, pod)


def _of_pod(word: str, rest: Sequence[str], split: _Words) -> Iterator[Asked]:
    if word == "cp":
        there = next((text for text in rest if ":" in text), "")
        path, namespace = there.partition(":")[0], split.namespace
        if "/" in path:
            namespace, _, path = path.partition("/")
        split, rest = _Words(split.words, namespace, split.flags), (path,) if path else ()
    pod = _need_pod(rest)
    yield Asked("get", _POD, "", split.namespace, pod)
    if word == "debug":
        yield Asked("patch", _POD, "ephemeralcontainers", split.namespace, pod)
        yield Asked("get", _POD, "attach", split.namespace, pod)
        return
    subresource = {"cp": "exec", "logs": "log", "port-forward": "portforward"}.get(word, word)
    yield Asked("get", _POD, subresource, split.namespace, pod)


def _need_pod(rest: Sequence[str]) -> str:
    if not rest:
        raise KubectlCommandError("name a pod")
    return rest[0].removeprefix("pods/").removeprefix("pod/").removeprefix("po/")


_POD = Resource("", "pods")
_HANDLERS: dict[str, _Handler] = {
    "annotate": _change("patch"),
    "apply": _apply,
    "autoscale": lambda rest, split: _create(("horizontalpodautoscalers",), split) if rest else _create(rest, split),
    "cordon": lambda rest, split: _change("patch")(("nodes", *rest), split),
    "create": _create,
    "delete": _delete,
    "describe": _describe,
    "diff": _apply,
    "drain": lambda rest, split: _change("patch")(("nodes", *rest), split),
    "edit": _change("patch"),
    "expose": lambda rest, split: _create(("services",), split) if rest else _create(rest, split),
    "get": _get,
    "label": _change("patch"),
    "patch": _change("patch"),
    "replace": _change("update"),
    "rollout": _rollout,
    "run": _run,
    "scale": _change("patch", "scale"),
    "set": lambda rest, split: _change("patch")(rest[1:], split),
    "taint": _change("patch"),
    "uncordon": lambda rest, split: _change("patch")(("nodes", *rest), split),
}
