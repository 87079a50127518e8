"""A browser without a face: redirects, cookies, and forms filled by the names of their fields.

Run as a program, it is what BROWSER names: `browser.py CAS ANSWERS URL`, the first two as JSON.

A page with a form is answered with what the person knows; hidden fields and the first button go along. It ends at a
page without a form, at an error, at a form that comes back although it was filled, or at the address it waits for.
"""

from __future__ import annotations

import http.cookiejar
import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import urlencode, urljoin, urlsplit

MAX_STEPS = 30  # requests; a sign-in with consent through a proxy takes about ten
TIMEOUT = 30.0  # seconds for one request


@dataclass(frozen=True, slots=True)
class Page:
    """Where it ended."""

    url: str
    status: int
    text: str


@dataclass(slots=True)
class Form:
    """A form as the page has it: `asks` are the names of what a person types."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    asks: list[str] = field(default_factory=list)
    pressed: bool = False


class Browser:
    """One person's, who knows `answers` by field name. Trusts the authorities in `cas` and no others."""

    def __init__(self, cas: tuple[Path, ...], answers: Mapping[str, str]) -> None:
        context = ssl.create_default_context(cafile=cas[0])
        for ca in cas[1:]:
            context.load_verify_locations(ca)
        self._answers = answers
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            urllib.request.ProxyHandler({}),
            _Stay(),
        )

    def visit(self, url: str, until: str | None = None) -> Page:
        """Open `url` and go on; `until` is the start of an address that is not asked any more."""
        data: bytes | None = None
        filled: set[tuple[str, ...]] = set()
        for _ in range(MAX_STEPS):
            if until is not None and url.startswith(until):
                return Page(url, 0, "")
            page, location = self._request(url, data)
            if location is not None:
                url, data = urljoin(url, location), None
                continue
            form = first_form(page.text)
            if form is None or page.status >= 400:
                return page
            asks = tuple(form.asks)
            if asks in filled and asks:
                return page
            filled.add(asks)
            url, data = self._fill(url, form)
        raise RuntimeError(f"no end after {MAX_STEPS} requests; the last was for {url.partition('?')[0]}")

    def _fill(self, url: str, form: Form) -> tuple[str, bytes | None]:
        known = {name: self._answers[name] for name in form.asks if name in self._answers}
        text = urlencode(form.values | known)
        target = urljoin(url, form.action)
        if urlsplit(target)[:2] != urlsplit(url)[:2]:
            raise RuntimeError(f"a form of {url.partition('?')[0]} leads to another site, {target.partition('?')[0]}")
        return (target, text.encode()) if form.method == "post" else (f"{target}?{text}", None)

    def _request(self, url: str, data: bytes | None) -> tuple[Page, str | None]:
        """The page, and where it leads (Location) if anywhere."""
        try:
            # Fetch Metadata Request Headers, section 2.2: every form here leads to the site that it came from
            headers = {} if data is None else {"Sec-Fetch-Site": "same-origin"}
            with self._opener.open(urllib.request.Request(url, data, headers), timeout=TIMEOUT) as answer:
                return Page(url, answer.status, answer.read().decode()), None
        except urllib.error.HTTPError as answer:
            with answer:
                location = answer.headers.get("Location") if 300 <= answer.code < 400 else None
                return Page(url, answer.code, answer.read().decode()), location


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are ours to follow, so that one can be stopped before."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


def first_form(text: str) -> Form | None:
    """The first form of a page."""
    parser = _Forms()
    parser.feed(text)
    return parser.forms[0] if parser.forms else None


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag in {"input", "button"} and self.forms and given.get("name"):
            self._field(self.forms[-1], given, given.get("type", "submit" if tag == "button" else "text"))

    def _field(self, form: Form, given: dict[str, str], kind: str) -> None:
        if kind == "hidden":
            form.values[given["name"]] = given.get("value", "")
        elif kind == "submit":
            if not form.pressed:
                form.values[given["name"]] = given.get("value", "")
            form.pressed = True
        elif kind not in {"checkbox", "radio", "reset", "button"}:
            form.asks.append(given["name"])


if __name__ == "__main__":
    cas, answers, address = sys.argv[1:]
    end = Browser(tuple(Path(ca) for ca in json.loads(cas)), json.loads(answers)).visit(address)
    sys.exit(None if end.status < 400 else f"{end.status} {end.text}")
