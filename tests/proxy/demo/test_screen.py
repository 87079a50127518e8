"""How things look where there is no terminal: plain, whole, and harmless."""

from __future__ import annotations

import pytest

from proxy.demo import screen
from proxy.demo.engineer import Said


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_what_is_typed_stays_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen.command("kubectl " + "x" * 200)
    screen.command("GET /api", ">")
    assert shown(capsys) == f"  $ kubectl {'x' * 200}\n  > GET /api\n"


def test_output_is_indented_and_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen.output(Said(1, "a\tb\n\n", "\x1b[31mred\n"))
    assert shown(capsys) == "  a       b\n\n  \\u001b[31mred\n"


def test_long_output_ends_with_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    screen.output(Said(0, "".join(f"{n}\n" for n in range(screen.MAX_LINES + 3))))
    lines = shown(capsys).splitlines()
    assert (len(lines), lines[-1]) == (screen.MAX_LINES + 1, "  … and 3 lines more")


def test_prose_is_no_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    screen.prose("word " * 20)
    assert max(map(len, shown(capsys).splitlines())) <= 30


def test_on_a_terminal_long_lines_keep_the_margin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    screen.output(Said(0, "one two three four five six\n\nNAME                  READY\n"))
    assert shown(capsys) == "  one two three four\n    five six\n\n  NAME                  READY\n"


def test_a_claim_has_one_line_and_its_problem_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    screen.verdict("holds")
    screen.verdict("does not", "because\nof this")
    assert shown(capsys) == "✓ holds\n✗ does not\n    because\n    of this\n"


def test_a_list_of_places_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    screen.heading("Where")
    screen.pairs({"a": "1", "long": "2"})
    assert shown(capsys) == "\nWhere\n  a     1\n  long  2\n"


def test_a_note_stands_beside_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    screen.note("stopping")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "stopping\n")
