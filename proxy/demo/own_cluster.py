"""A cluster of the person's own: the file in which kubectl finds a context."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from auth.kubeconfig import PREFIX
from proxy.cli.client.problem import Problem

MAX_LISTED = 10
"""Contexts that an error names."""


@dataclass(frozen=True, slots=True)
class Own:
    """A context and the kubeconfig that has it."""

    context: str
    kubeconfig: Path


def find(context: str, environ: Mapping[str, str]) -> Own:
    """The first file of $KUBECONFIG that has the context, else ~/.kube/config. Raises Problem."""
    if context.startswith(PREFIX):
        raise Problem(f"{context} leads to kwit already; name the context of the cluster behind it", exit_code=2)
    listed = [Path(item) for item in environ.get("KUBECONFIG", "").split(os.pathsep) if item]
    paths = listed or [Path(environ.get("HOME") or Path.home()) / ".kube" / "config"]
    known: list[str] = []
    for path in paths:
        names = _contexts(path)
        if context in names:
            return Own(context, path.absolute())
        known += names
    there = ", ".join(known[:MAX_LISTED]) or "none"
    raise Problem(f"{os.pathsep.join(map(str, paths))} has no context {context!r}; it has: {there}", exit_code=2)


def _contexts(path: Path) -> list[str]:
    """Their names; none where there is no file. Raises Problem where it cannot be read."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [str(entry["name"]) for entry in (document or {}).get("contexts") or []]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise Problem(f"{path} is no kubeconfig; `kubectl config view` says what is wrong with it") from error
