"""The provider's two pages: pick a person, and what is wrong with the link that led here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from deploy.sandbox.idp.people import Person

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 30rem; margin: 12vh auto; padding: 0 1.5rem }
h1 { font-size: 1.4rem; margin-bottom: .25rem }
form { display: grid; gap: .75rem; margin: 1.5rem 0 }
button { font: inherit; text-align: left; padding: .75rem 1rem; border: 1px solid #8888; border-radius: .5rem;
  background: none; color: inherit; cursor: pointer }
button:hover, button:focus-visible { border-color: #4a7bd8; outline: none }
b, small { display: block }
small, footer { opacity: .75; font-size: .875rem }
code { overflow-wrap: anywhere }
"""
_DIGEST = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    # no form-action: browsers apply it to every redirect that follows, and those lead to the client
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def choose(people: Sequence[Person], client_id: str) -> str:
    """One button for each person. The form goes to the page's own address, so the client's request comes along."""
    buttons = "\n".join(
        f'<button name="person" value="{escape(person.username)}"><b>{escape(person.name)}</b>'
        f"<small>{escape(_groups(person))}, {escape(person.about)}</small></button>"
        for person in people
    )
    return _page(
        "Who are you today?",
        f"<p><code>{escape(client_id)}</code> asks you to sign in.</p>\n"
        f'<form method="post">\n{buttons}\n</form>\n'
        "<footer>This is a demo. It knows no passwords: whoever can reach this page is whoever they pick.</footer>",
    )


def problem(sentence: str) -> str:
    """For a request that must not be answered by a redirect (RFC 6749, section 4.1.2.1)."""
    return _page("This link does not work", f"<p>{escape(sentence)}</p>")


def _groups(person: Person) -> str:
    return f"group {', '.join(person.groups)}" if person.groups else "no groups"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )
