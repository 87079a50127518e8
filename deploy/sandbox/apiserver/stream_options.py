"""What an exec, an attach or a port-forward asks for, and what the API server says before it upgrades anything."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.sandbox.apiserver.kinds import Object
from deploy.sandbox.apiserver.problem import Problem, bad_request
from deploy.sandbox.apiserver.resources import Asked
from recordings.streams.events import Role

STREAMING = frozenset(("attach", "exec", "portforward"))
"""The subresources of a pod that are connections."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """PodExecOptions; `command` is empty for an attach."""

    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @property
    def roles(self) -> frozenset[Role]:
        """The streams that a SPDY client opens, but for the terminal's size, which older clients do not send."""
        asked = {Role.STDIN: self.stdin, Role.STDOUT: self.stdout, Role.STDERR: self.stderr}
        return frozenset({Role.ERROR, *(role for role, wanted in asked.items() if wanted)})


def read_options(pod: Object, asked: Asked) -> StreamOptions:
    """Raises Problem 400, worded as the API server words it."""
    command = asked.target.all("command") if asked.info.subresource == "exec" else ()
    stdin, stdout, stderr, tty = (asked.flag(name) for name in ("stdin", "stdout", "stderr", "tty"))
    if not (stdin or stdout or stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if asked.info.subresource == "exec" and not command:
        raise bad_request("you must specify at least one command for the exec.")
    check_running(pod)
    # a terminal has one output: the kubelet drops the other
    return StreamOptions(_container(pod, asked), command, stdin, stdout, stderr and not tty, tty)


def check_running(pod: Object) -> None:
    """Raises Problem 400 where there is no kubelet to ask."""
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    if pod["status"].get("phase") != "Running":
        raise Problem(500, "InternalError", f'pod "{name}" is not running: {pod["status"].get("phase")}')


def _container(pod: Object, asked: Asked) -> str:
    name, containers = pod["metadata"]["name"], [one["name"] for one in pod["spec"]["containers"]]
    container = asked.target.first("container") or ""
    if not container and len(containers) > 1:
        shown = " ".join(containers)
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{shown}]")
    if container and container not in containers:
        raise bad_request(f"container {container} is not valid for pod {name}")
    return container or containers[0]
