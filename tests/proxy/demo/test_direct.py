"""kubectl's way, done by hand: the kubeconfig, the plugin, the connection, the answer in a line."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web

from proxy.demo.direct import Direct, PluginError, connect, read_credential, read_kubeconfig, said
from proxy.demo.engineer import Engineer, Said
from proxy.demo.story import Request


def kubeconfig(path: Path, *, server: str = "https://h/clusters/c", plugin: list[str] | None = None) -> Path:
    command, *args = plugin or ["plug", "in"]
    entry = {"server": server, "certificate-authority-data": base64.b64encode(b"CA").decode()}
    document = {
        "current-context": "x",
        "contexts": [{"name": "y", "context": {}}, {"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": "u", "user": {"exec": {"command": command, "args": args}}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_current_context_is_followed(tmp_path: Path) -> None:
    assert read_kubeconfig(kubeconfig(tmp_path / "k")) == ("https://h/clusters/c", "CA", ["plug", "in"])


@pytest.mark.parametrize("text", ["", "[", "current-context: x\ncontexts: []", "current-context: 1\ncontexts: 1", "1"])
def test_what_is_no_kubeconfig_of_ours_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(PluginError, match="k is not the kubeconfig that `kwit login` writes"):
        read_kubeconfig(tmp_path / "k")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": {}}'])
def test_an_answer_of_the_plugin_without_a_certificate_is_none(text: str) -> None:
    with pytest.raises(PluginError, match="no ExecCredential"):
        read_credential(text)


def engineer(home: Path) -> Engineer:
    return Engineer("alice", home, home, "c", ("kwit",), {"PATH": ""})


def plugin(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_the_plugin_is_run_as_the_kubeconfig_says(tmp_path: Path) -> None:
    answer = json.dumps({"status": {"clientCertificateData": "cert", "clientKeyData": "key"}})
    kubeconfig(tmp_path / "kubeconfig", plugin=plugin(f"print({answer!r})"))
    assert await connect(engineer(tmp_path)) == Direct("https://h/clusters/c", "CA", "cert", "key")


async def test_a_plugin_that_fails_is_quoted(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "kubeconfig", plugin=plugin("raise SystemExit('not signed in')"))
    with pytest.raises(PluginError, match=r"^not signed in$"):
        await connect(engineer(tmp_path))


def test_the_key_is_not_shown() -> None:
    assert "SECRET" not in repr(Direct("https://h", "CA", "cert SECRET", "key SECRET"))


STATUS = {"kind": "Status", "message": "denied"}
LIST = {"kind": "PodList", "items": [{"metadata": {"name": "web-1"}}, {"metadata": {"name": "web-2"}}]}
REVIEW = {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "alice", "groups": ["a", "b"]}}}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, LIST, Said(0, "200 OK: PodList of web-1, web-2\n")),
        (200, {"kind": "PodList", "items": []}, Said(0, "200 OK: PodList of nothing\n")),
        (200, {"kind": "X", "items": [{}] * 10}, Said(0, "200 OK: X of , , , , , , ,  and 2 more\n")),
        (200, {"kind": "Scale", "metadata": {"name": "cart"}, "status": {}}, Said(0, "200 OK: Scale cart\n")),
        (201, REVIEW, Said(0, "201 OK: SelfSubjectReview alice (a, b)\n")),
        (403, STATUS, Said(1, "", "403 OK: denied\n")),
        (404, {}, Said(1, "", "404 OK: answer\n")),
        (200, [], Said(0, "200 OK\n")),
    ],
)
def test_an_answer_is_told_in_a_line(status: int, answer: Any, expected: Said) -> None:
    assert said(status, "OK", json.dumps(answer).encode()) == expected


def test_text_is_told_as_it_is_and_not_for_ever() -> None:
    assert said(200, "OK", b"line 1\nline 2\n") == Said(0, "200 OK\nline 1\nline 2\n")
    assert said(500, "Oh", b"\xff" + b"\nx" * 20).out.count("\n") == 9
    assert said(500, "Oh", b"x").code == 1


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Direct, list[tuple[str, str, str, str]]]]:
    """A server that asks for a certificate, and what it was asked."""
    ca, asked = trustme.CA(), list[tuple[str, str, str, str]]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, request.path_qs, await request.text(), request.headers.get("X-More", "")))
        return web.json_response(LIST)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    theirs = ca.issue_cert("alice@example.com")
    certificate = "".join(pem.bytes().decode() for pem in theirs.cert_chain_pems)
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/clusters/c"
    yield Direct(url, ca.cert_pem.bytes().decode(), certificate, theirs.private_key_pem.bytes().decode()), asked
    await runner.cleanup()


async def test_a_request_goes_below_the_clusters_path_with_the_certificate(
    server: tuple[Direct, list[tuple[str, str, str, str]]],
) -> None:
    direct, asked = server
    request = Request("POST", "/api?a=b", 200, body="{}", headers=(("X-More", "1"),))
    assert await asyncio.to_thread(direct.send, request) == Said(0, "200 OK: PodList of web-1, web-2\n")
    assert asked == [("POST", "/clusters/c/api?a=b", "{}", "1")]


async def test_an_answer_that_is_no_http_is_an_error_of_the_connection() -> None:
    """Whoever calls has one kind of error to think of."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"nonsense\r\n\r\n")
        await writer.drain()
        writer.close()

    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    listening = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    theirs = ca.issue_cert("alice@example.com")
    certificate = "".join(pem.bytes().decode() for pem in theirs.cert_chain_pems)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    direct = Direct(url, ca.cert_pem.bytes().decode(), certificate, theirs.private_key_pem.bytes().decode())
    with pytest.raises(OSError, match="no answer that can be read: BadStatusLine"):
        await asyncio.to_thread(direct.send, Request("GET", "/", 200))
    listening.close()
    await listening.wait_closed()
