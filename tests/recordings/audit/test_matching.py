"""Claims about lines that hold some bytes: the same as looking at every line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.audit import matching
from recordings.audit.matching import Needle, backwards_with, forwards_with
from recordings.audit.stored import Packer

LINES = st.lists(st.text("abA", max_size=9).map(str.encode), max_size=9)


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
@pytest.mark.parametrize("name", ["1.ndjson", "1.ndjson.zst"])
def test_it_finds_what_a_look_at_every_line_finds(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, block: int, name: str
) -> None:
    monkeypatch.setattr(matching, "BLOCK_BYTES", block)
    path = tmp_path_factory.mktemp("log") / name

    @given(LINES, st.sampled_from([b"a", b"ab", b"aba", b"bb"]), st.booleans(), st.integers(0, 9))
    def claim(lines: list[bytes], text: bytes, folded: bool, skipped: int) -> None:
        data = b"".join(line + b"\n" for line in lines)
        packer = Packer()
        frames = [packer.add(data[at : at + 11]) for at in range(0, len(data), 11)]
        path.write_bytes(b"".join(frames) + packer.end() if name.endswith("zst") else data + b"torn a")
        expected = [line for line in lines if text in (line.lower() if folded else line)]
        needle = Needle(text, folded=folded)
        assert list(forwards_with(path, needle, 0, len(data))) == expected
        assert list(backwards_with(path, needle, len(data))) == expected[::-1]
        start = sum(len(line) + 1 for line in lines[:skipped])
        later = [line for line in lines[skipped:] if text in (line.lower() if folded else line)]
        assert list(forwards_with(path, needle, start, len(data))) == later

    claim()
