"""What runs: all of it or nothing, and the same again from the same directory."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.cli.client.problem import Problem
from proxy.demo.folder import Folder
from proxy.demo.own_cluster import Own
from proxy.demo.world import World, free_ports


def world(path: Path, own: Own | None = None, cluster: str = "sandbox") -> World:
    return World(Folder(path, cluster), own, clock=time.time, environ=os.environ)


async def asked(url: str, ca_pem: str = "") -> tuple[int, Any]:
    context: Any = ssl.create_default_context(cadata=ca_pem) if ca_pem else True
    async with aiohttp.ClientSession() as client, client.get(url, ssl=context) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_all_three_answer_and_a_second_time_with_the_same_keys(tmp_path: Path) -> None:
    seen = []
    for again in (False, True):
        demo = world(tmp_path / "demo")
        assert demo.prepare() is again
        await demo.start()
        assert demo.sandbox is not None
        status, _ = await asked(f"{demo.sandbox.url}/version", demo.sandbox.ca_pem)
        assert status == 401  # nobody but kwit has its token
        status, offered = await asked(f"{demo.config.web.url}/api/v1/installation")
        assert (status, [one["name"] for one in offered["connectors"]]) == (200, ["sandbox"])
        status, document = await asked(
            f"http://127.0.0.1:{demo.folder.provider_port()}/.well-known/openid-configuration"
        )
        assert (status, document["issuer"]) == (200, f"http://127.0.0.1:{demo.folder.provider_port()}")
        people = (demo.config.data_dir / "ca" / "people.crt").read_bytes()
        seen.append((demo.sandbox.url, demo.sandbox.ca_pem, demo.sandbox.token, demo.config.kube.url, people))
        assert demo.said == ["roles: developer, support", "clusters: sandbox"]
        await demo.stop()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("part", ["cluster", "provider", "kube"])
async def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(tmp_path: Path, part: str) -> None:
    demo = world(tmp_path / "demo")
    demo.prepare()
    ports = {"cluster": demo.folder.cluster_port(), "provider": demo.folder.provider_port()}
    ports["kube"] = demo.folder.load().kube.address.port
    with (
        socket.create_server(("127.0.0.1", ports[part])),
        pytest.raises(Problem, match=rf"(?s)127.0.0.1:{ports[part]}.*(is taken|Address already in use)"),
    ):
        await demo.start()
    for name in set(ports) - {part}:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[name])).close()


async def test_files_of_keys_that_were_broken_are_named(tmp_path: Path) -> None:
    demo = world(tmp_path / "demo")
    demo.prepare()
    await demo.start()
    await demo.stop()
    broken = sorted((demo.config.data_dir / "ca").glob("people.crt"))
    broken[0].write_text("no certificate")
    with pytest.raises(Problem, match=r"^kwit did not start: .*people\.crt is not a certificate"):
        await world(tmp_path / "demo").start()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match=r"file/demo cannot be written \(Not a directory\); choose another directory"):
        world(tmp_path / "file" / "demo").prepare()


async def test_a_cluster_that_cannot_be_reached_has_no_story(tmp_path: Path) -> None:
    port = free_ports().cluster
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "theirs", "context": {"cluster": "c", "user": "u"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    demo = world(tmp_path / "demo", Own("theirs", path), "theirs")
    assert demo.prepare() is False
    with pytest.raises(
        Problem, match=r"^(kwit cannot stand in front of theirs with the account|this cluster cannot be used)"
    ):
        await demo.start()


def test_ports_are_five_different_ones() -> None:
    ports = free_ports()
    assert len({ports.kube, ports.web, ports.operations, ports.provider, ports.cluster}) == 5
