"""The pages say what they are, and nothing that comes from outside becomes markup."""

from __future__ import annotations

from deploy.sandbox.idp import pages
from deploy.sandbox.idp.people import PEOPLE, Person


def test_each_person_is_one_button_with_groups() -> None:
    text = pages.choose(PEOPLE, "kwit")
    assert [f'value="{p.username}"' in text for p in PEOPLE] == [True, True, True]
    assert "group eng, develops the shop" in text
    assert "no groups, has an account and no business here" in text
    assert "This is a demo. It knows no passwords" in text


def test_text_is_text() -> None:
    strange = Person('"><script>', "<b>", ("<i>",), "<u>")
    text = pages.choose((strange,), "<script>") + pages.problem("<script>")
    assert "<script>" not in text
    assert "<i>" not in text
    assert "<u>" not in text


def test_a_page_loads_nothing_and_stands_in_no_frame() -> None:
    policy = pages.HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("base-uri 'none'; frame-ancestors 'none'")
