import pytest

from recordings.recorder.head import ID


@pytest.mark.parametrize("text", ["a" * 26, "abcdefghijklmnopqrstuvwxyz", "234567" + "z" * 20])
def test_an_id_is_26_characters_of_base32(text):
    assert ID.fullmatch(text)


@pytest.mark.parametrize("text", ["", "a" * 25, "a" * 27, "A" * 26, "../" + "a" * 23, "a" * 25 + "\n", "a" * 25 + "1"])
def test_nothing_else_is_one(text):
    assert not ID.fullmatch(text)
