"""Roles and bindings as files: a folder of YAML, read whole, with every mistake at once, and read again on change.

The text is Kubernetes-shaped (design, section 6): documents of kind Role and RoleBinding. What could mislead a reader
is refused: unknown keys, a key given twice, anchors, tags, an empty file. Whether the roles make sense together is
`auth.rbac.compile_policy`'s to say; both raise PolicyError, so that one place shows them.

Write files by renaming a finished one into place. Whoever does not is protected as far as possible: a change is only
read when it has stood still from one poll to the next, and a file cut down to nothing is a mistake, not a policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import cel
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from auth.placed_yaml import Place, PlacedYaml, YamlError, read_documents
from auth.rbac import Condition, ConditionError, Options, Policy, PolicyError, Role, RoleBinding, Rule, Source, Subject
from auth.rbac.ports import PortRange, Ports, port_range

MAX_FILE_BYTES = 1 << 20
"""As many as `auth.placed_yaml` reads characters; a thousand roles are a quarter of this."""
MAX_FILES = 1000
MAX_CONDITION = 4096
"""Characters of a `when`: a page of text."""
MAX_SHOWN = 80
"""Characters of an offending value in a message."""

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXPECTED = {
    "string_type": "text; put it in quotes if it looks like a number, a date or yes and no",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "a section: keys with values, indented below it",
    "missing": "a value: the key is missing",
}


def load(directory: Path) -> tuple[list[Role], list[RoleBinding]]:
    """Every Role and RoleBinding of the folder's `*.yaml` and `*.yml`, by file name. Raises PolicyError."""
    roles: list[Role] = []
    bindings: list[RoleBinding] = []
    mistakes: list[str] = []
    for path in _files(directory):
        try:
            documents = _documents(path.name, _text(path))
        except _FileError as error:
            mistakes.append(str(error))
            continue
        for document in documents:
            found, wrong = _read(document)
            mistakes += wrong
            if isinstance(found, Role):
                roles.append(found)
            elif found is not None:
                bindings.append(found)
    if mistakes:
        raise PolicyError(mistakes)
    return roles, bindings


class RoleFiles:
    """The policy of a folder, kept current by `poll`. A broken folder keeps the last good policy and sets `error`."""

    def __init__(self, directory: Path, compile_roles: Callable[[list[Role], list[RoleBinding]], Policy]) -> None:
        """Read the folder now. Raises PolicyError: without a first good policy there is nothing to keep."""
        self._directory = directory
        self._compile = compile_roles
        self._seen = self._standing = _fingerprint(directory)
        self.policy = self._compile(*load(directory))
        self.error: PolicyError | None = None

    def poll(self) -> bool:
        """Look for a change; True when another policy is in force. To be called by a timer, every second or so."""
        now = _fingerprint(self._directory)
        standing, self._standing = self._standing, now
        if now == self._seen or now != standing:
            return False
        try:
            policy = self._compile(*load(self._directory))
        except PolicyError as error:
            self._seen, self.error = now, error
            return False
        if _fingerprint(self._directory) != now:
            return False  # written while it was read: neither the old text nor the new
        self._seen, self.policy, self.error = now, policy, None
        return True


def compile_condition(text: str) -> Condition:
    """A `when` in CEL over `username`, `groups` and `claims`. Raises ConditionError."""
    if len(text) > MAX_CONDITION:
        raise ConditionError(f"longer than {MAX_CONDITION} characters")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ConditionError(f"not a CEL expression: {str(error).splitlines()[0][:200]}") from error
    for name in program.variables():
        bound_by_a_macro = re.search(rf"\(\s*{re.escape(name)}\s*,", text)
        if name not in ("username", "groups", "claims") and not bound_by_a_macro:
            raise ConditionError(f"{name} is not known; there are username, groups and claims")

    def holds(username: str, groups: tuple[str, ...], claims: Mapping[str, object]) -> bool:
        try:
            answer = program.execute({"username": username, "groups": list(groups), "claims": dict(claims)})
        except Exception as error:  # the library raises what it likes; none of it may admit
            raise ConditionError(f"{type(error).__name__} {str(error)[:MAX_SHOWN]}") from error
        if not isinstance(answer, bool):
            raise ConditionError("it gives neither true nor false")
        return answer

    return holds


# -- the folder


class _FileError(Exception):
    """A file that cannot be read as YAML of the accepted subset."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")


def _files(directory: Path) -> list[Path]:
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise PolicyError([f"{directory}: {error.strerror}; expected a folder of role files (roles_dir)"]) from error
    files = [path for path in entries if path.suffix in (".yaml", ".yml") and not path.name.startswith(".")]
    if len(files) > MAX_FILES:
        raise PolicyError([f"{directory}: more than {MAX_FILES} files"])
    return files


def _fingerprint(directory: Path) -> tuple[object, ...]:
    """What changes when a file does: names, inodes (a rename, a ConfigMap's swap), sizes, times. Never raises."""
    try:
        files = _files(directory)
    except PolicyError as error:
        return (str(error),)
    found: list[object] = []
    for path in files:
        try:
            stat = path.stat()
        except OSError as error:
            found.append((path.name, error.errno))
        else:
            found.append((path.name, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return tuple(found)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _FileError(path.name, 1, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise _FileError(path.name, 1, f"longer than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _FileError(path.name, data.count(b"\n", 0, error.start) + 1, "not UTF-8") from error


# -- documents with their places


@dataclass(frozen=True, slots=True)
class _Document:
    """One document, and the name of its file."""

    file: str
    yaml: PlacedYaml

    def source(self, what: str) -> Source:
        """Where the document and its parts stand."""
        lines = {_dotted(path): line for path, line in self.yaml.lines.items()}
        return Source(self.file, self.yaml.line_of(()), what, lines)

    def mistake(self, path: Place, value: object, expected: str, *, show: bool = True) -> str:
        """`file:line: path: value is not accepted; expected …`."""
        dotted = _dotted(path)
        text = json.dumps(value, default=str)
        shown = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
        said = f"{shown} is not accepted; expected {expected}" if show else f"expected {expected}"
        return f"{self.file}:{self.yaml.line_of(path)}: " + (f"{dotted}: {said}" if dotted else said)


def _dotted(path: Place) -> str:
    """`spec.allow[0].verbs`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _documents(file: str, text: str) -> list[_Document]:
    """The file's documents; a file of which nothing is left is refused. Raises _FileError."""
    try:
        found = read_documents(text)
    except YamlError as error:
        raise _FileError(file, error.line, error.message) from error
    if not found:
        raise _FileError(file, 1, "holds no document; remove the file if it shall say nothing")
    return [_Document(file, document) for document in found]


# -- the models: what may stand in a document


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


def _seconds(text: str) -> str:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if match is None:
        raise ValueError("a duration such as 90s, 30m, 8h or 1d")
    return text


def _port_range(value: object) -> PortRange:
    return port_range(str(value) if isinstance(value, int | str) and not isinstance(value, bool) else "")


class _Except(_Model):
    except_: list[str] = Field(alias="except", min_length=1)


_Names = list[str] | _Except | None


class _RuleModel(_Model):
    verbs: list[str]
    api_groups: list[str] = []
    resources: list[str] = []
    namespaces: _Names = None
    names: _Names = None
    labels: dict[str, str] = {}
    non_resource_urls: list[str] = Field(default=[], alias="nonResourceURLs")
    requestable: bool = False


class _ClustersModel(_Model):
    names: list[str] = ["*"]
    labels: dict[str, str] = {}


class _AsModel(_Model):
    user: str | None = None
    groups: list[str] = []


class _OptionsModel(_Model):
    certificate_ttl: Annotated[str, AfterValidator(_seconds)] | None = Field(default=None, alias="certificateTTL")
    record: Literal["standard", "strict"] = "standard"
    require_reason: list[str] = []
    require_mfa: list[str] = Field(default=[], alias="requireMFA")
    max_streams: int | None = Field(default=None, ge=0)
    hide_unechoed_input: bool = False
    forward_ports: list[Annotated[Any, AfterValidator(_port_range)]] | None = Field(default=None, min_length=1)


class _RoleSpec(_Model):
    clusters: _ClustersModel = _ClustersModel()
    as_: _AsModel = Field(default=_AsModel(), alias="as")
    allow: list[_RuleModel] = []
    deny: list[_RuleModel] = []
    options: _OptionsModel = _OptionsModel()


class _Metadata(_Model):
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _SubjectModel(_Model):
    kind: Literal["Group", "User"]
    name: str = Field(min_length=1)
    connector: str | None = None


class _BindingSpec(_Model):
    role: str
    subjects: list[_SubjectModel]
    when: str | None = None


class _RoleDocument(_Model):
    api_version: Literal["kubewitness.dev/v1"]
    kind: Literal["Role"]
    metadata: _Metadata
    spec: _RoleSpec


class _BindingDocument(_Model):
    api_version: Literal["kubewitness.dev/v1"]
    kind: Literal["RoleBinding"]
    metadata: _Metadata
    spec: _BindingSpec


def _read(document: _Document) -> tuple[Role | RoleBinding | None, list[str]]:
    """A document as a Role or RoleBinding, or what is wrong with it."""
    value = document.yaml.value
    if not isinstance(value, dict):
        return None, [document.mistake((), value, "a Role or RoleBinding: apiVersion, kind, metadata, spec")]
    if empty := list(_empty(value, ())):
        # `namespaces:` with nothing behind it would mean all of them
        return None, [document.mistake(path, None, "a value; or remove the key", show=False) for path in empty]
    kind = value.get("kind")
    try:
        if kind == "Role":
            return _role(_RoleDocument.model_validate(value), document), []
        if kind == "RoleBinding":
            return _binding(_BindingDocument.model_validate(value), document), []
    except ValidationError as error:
        return None, _explained(error, document)
    return None, [document.mistake(("kind",), kind, "Role or RoleBinding")]


def _empty(value: object, path: Place) -> Iterator[Place]:
    """The places of empty values."""
    if value is None:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _empty(child, (*path, key))


def _explained(error: ValidationError, document: _Document) -> list[str]:
    found = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part not in ("list[str]", "_Except"))  # pydantic's branch names
        kind = str(detail["type"])
        if kind == "extra_forbidden":
            expected, show = "no such key here", False
        else:
            expected, show = _expected(kind, detail), kind != "missing"
        mistake = document.mistake(path, detail["input"], expected, show=show)
        if mistake not in found:
            found.append(mistake)
    return found


def _expected(kind: str, detail: Any) -> str:
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return "a name of lower-case letters, digits, - and ."
    message = str(detail["msg"]).removeprefix("Input should be ")
    return _EXPECTED.get(kind, message[:1].lower() + message[1:])


# -- models → the types of auth.rbac


def _role(document: _RoleDocument, place: _Document) -> Role:
    spec, options = document.spec, document.spec.options
    return Role(
        document.metadata.name,
        tuple(spec.clusters.names),
        _pairs_of(spec.clusters.labels),
        spec.as_.user,
        tuple(spec.as_.groups),
        tuple(map(_rule, spec.allow)),
        tuple(map(_rule, spec.deny)),
        Options(
            _in_seconds(options.certificate_ttl),
            options.record,
            tuple(options.require_reason),
            tuple(options.require_mfa),
            options.max_streams,
            options.hide_unechoed_input,
            None if options.forward_ports is None else Ports(tuple(options.forward_ports)),
        ),
        place.source(f"Role {document.metadata.name}"),
    )


def _binding(document: _BindingDocument, place: _Document) -> RoleBinding:
    return RoleBinding(
        document.metadata.name,
        document.spec.role,
        tuple(Subject(subject.kind, subject.name, subject.connector) for subject in document.spec.subjects),
        document.spec.when,
        place.source(f"RoleBinding {document.metadata.name}"),
    )


def _rule(model: _RuleModel) -> Rule:
    namespaces, except_namespaces = _names(model.namespaces)
    names, except_names = _names(model.names)
    return Rule(
        tuple(model.verbs),
        tuple(model.api_groups),
        tuple(model.resources),
        namespaces,
        except_namespaces,
        names,
        except_names,
        tuple(model.non_resource_urls),
        _pairs_of(model.labels),
        model.requestable,
    )


def _names(given: list[str] | _Except | None) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    if isinstance(given, _Except):
        return None, tuple(given.except_)
    return (None if given is None else tuple(given)), ()


def _pairs_of(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _in_seconds(duration: str | None) -> float | None:
    return None if duration is None else float(int(duration[:-1]) * _UNIT_SECONDS[duration[-1]])
