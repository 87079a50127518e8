"""Claims about what goes to an anchor."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit.anchors.anchor import Published, file_stem, published
from recordings.audit.note import NoteError
from tests.recordings.audit.anchors.conftest import checkpoint


def test_a_note_says_of_which_log_and_how_many_lines_it_speaks() -> None:
    note = checkpoint(7).note
    assert published(note) == Published("acme/host-0", 7, note)
    with pytest.raises(NoteError):
        published("rubbish")


def test_an_origin_is_a_name_that_any_place_takes() -> None:
    assert file_stem("acme/host-0.example") == "acme__host-0.example"
    assert file_stem("..") == "_2e_2e"
    assert file_stem("a_b/é") == "a_5fb___c3_a9"


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_origins_never_have_one_name(one: str, two: str) -> None:
    try:
        names = [file_stem(one), file_stem(two)]
    except UnicodeEncodeError:
        return  # no origin: it has an unpaired surrogate
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", name) and name.strip(".") for name in names)
    assert (names[0] == names[1]) == (one == two)
