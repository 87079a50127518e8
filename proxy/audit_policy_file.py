"""The audit policy file that people write, read with every mistake at once: kind Policy of `audit.k8s.io/v1`.

kubernetes/apiserver `pkg/apis/audit/validation/validation.go` says what the API server accepts; what it refuses is
refused here too. A rule's name is the comment right above it: the format has no field for one, and people write there
why they have it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from auth.placed_yaml import read_yaml
from proxy.config import ConfigError, Mistake, parse_section, read_text
from proxy.config_section import Section
from recordings.audit.policy.level import Level, Stage
from recordings.audit.policy.policy import AuditPolicy
from recordings.audit.policy.rule import GroupResources, PolicyRule

PROFILES = ("proxy", "gce", "cis", "falco", "metadata")
"""Policies that come with kwit."""
MAX_RULES = 1_000
"""GCE's has 17; each is asked for every request that was never seen before."""
MAX_NAME_CHARACTERS = 120

__all__ = ["PROFILES", "ConfigError", "load_policy", "parse_policy", "policy_text"]


def _url(value: str) -> str:
    if value != "*" and not value.startswith("/"):
        raise ValueError("a path that begins with /, or *")
    if "*" in value[:-1]:
        raise ValueError("a path in which * stands at the end only")
    return value


def _group(value: str) -> str:
    if "/" in value:
        raise ValueError("an API group without its version, such as apps")
    return value


class _Part(Section):
    """Keys are written as Kubernetes writes them, and only so."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False)


class _GroupResources(_Part):
    group: Annotated[str, AfterValidator(_group)] = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_need_resources(self) -> _GroupResources:
        if self.resource_names and not self.resources:
            raise ValueError("resources beside resourceNames; the API server refuses names alone")
        return self


class _Rule(_Part):
    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[_GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_u_r_ls: tuple[Annotated[str, AfterValidator(_url)], ...] = Field(default=(), alias="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> _Rule:
        if self.non_resource_u_r_ls and (self.resources or self.namespaces):
            raise ValueError("either nonResourceURLs, or resources and namespaces; a rule cannot speak of both")
        return self


def _some(rules: tuple[_Rule, ...]) -> tuple[_Rule, ...]:
    if not rules:
        raise ValueError("at least one rule; without any the API server refuses the policy")
    return rules


class _Metadata(_Part):
    model_config = ConfigDict(extra="ignore")


class _File(_Part):
    api_version: Literal["audit.k8s.io/v1"]
    kind: Literal["Policy"]
    metadata: _Metadata = _Metadata()
    rules: Annotated[tuple[_Rule, ...], AfterValidator(_some)] = Field(max_length=MAX_RULES)
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False


def load_policy(name: str | Path) -> AuditPolicy:
    """The policy of a profile's name, or in a file. Raises ConfigError with all its mistakes."""
    if name in PROFILES:
        return parse_policy(policy_text(str(name)), path=Path(f"{name}.yaml"))
    path = Path(name)
    if not path.exists():
        none = f"there is no such file, and no profile of that name; profiles are {', '.join(PROFILES)}"
        raise ConfigError([Mistake(str(path), 0, "", "", none)])
    return parse_policy(read_text(path), path=path)


def policy_text(profile: str) -> str:
    """A profile as its file has it."""
    return (files("recordings.audit.policy") / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8")


def parse_policy(text: str, *, path: Path) -> AuditPolicy:
    """`text`, as if it stood in the file at `path`. Raises ConfigError with all its mistakes."""
    file = parse_section(_File, text, path=path)
    placed, lines = read_yaml(text), text.splitlines()
    rules = tuple(
        _rule(rule, line := placed.line_of(("rules", number)), _comment_above(lines, line))
        for number, rule in enumerate(file.rules)
    )
    return AuditPolicy(rules, file.omit_stages, file.omit_managed_fields)


def _rule(rule: _Rule, line: int, name: str) -> PolicyRule:
    return PolicyRule(
        rule.level,
        rule.users,
        rule.user_groups,
        rule.verbs,
        tuple(GroupResources(one.group, one.resources, one.resource_names) for one in rule.resources),
        rule.namespaces,
        rule.non_resource_u_r_ls,
        rule.omit_stages,
        rule.omit_managed_fields,
        name,
        line,
    )


def _comment_above(lines: list[str], line: int) -> str:
    """The comment whose lines end right above `line` (from 1 on)."""
    found: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.lstrip().startswith("#"):
            break
        found.append(text.strip().lstrip("#").strip())
    return " ".join(reversed(found))[:MAX_NAME_CHARACTERS].strip()
