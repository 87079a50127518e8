"""HTML: templates with everything escaped, no script, no style but our own file, nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import jinja2
from aiohttp import web

from proxy.web.deps import WebDeps

FOLDER = Path(__file__).parent

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def page(template: str, deps: WebDeps, *, status: int = 200, **values: object) -> web.Response:
    """A page. What stands in `values` is text, wherever it came from."""
    text = _TEMPLATES.get_template(template).render(installation=deps.installation, url=deps.url, **values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer: nothing is cached, framed, sniffed, or told to the next site."""
    headers = response.headers
    headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers["Server"] = "kubewitness"
    headers.setdefault("Cache-Control", "no-store")
    if request.secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"


async def stylesheet(_: web.Request) -> web.Response:
    return web.Response(
        body=_STYLESHEET, content_type="text/css", charset="utf-8", headers={"Cache-Control": "public, max-age=3600"}
    )


_STYLESHEET = (FOLDER / "static" / "kwit.css").read_bytes()
