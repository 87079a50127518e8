"""What listens on a pod's port: one answer to one request, however it is cut, and an end of what it keeps."""

from __future__ import annotations

from deploy.sandbox.apiserver.pod_listener import MAX_HEAD_BYTES, PodListener, ports

REQUEST = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


def test_a_request_is_answered_once_however_it_is_cut() -> None:
    whole, bytewise = PodListener("p", 80), PodListener("p", 80)
    answer = whole.receive(REQUEST)
    assert answer.endswith(b"\r\n\r\np:80 heard GET /x HTTP/1.1\n")
    assert b"".join(bytewise.receive(bytes((byte,))) for byte in REQUEST) == answer
    assert (whole.receive(REQUEST), whole.done) == (b"", True)


def test_a_head_without_an_end_is_not_kept_for_ever() -> None:
    listener = PodListener("p", 80)
    assert listener.receive(b"x" * MAX_HEAD_BYTES) == b""
    assert not listener.done
    assert listener.receive(b"x") == b""
    assert listener.done


def test_the_ports_are_those_that_the_containers_name() -> None:
    containers = [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 81}]}, {"name": "b"}]
    assert ports({"spec": {"containers": containers}}) == {80, 81}
