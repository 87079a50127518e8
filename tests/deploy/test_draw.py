"""The README's picture is drawn from a recording that is beside it, and a recording cannot put anything else in."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.pictures.draw import last_screen, picture
from recordings.recorder.head import RecordingHead
from recordings.recorder.moment import Kind, Moment
from recordings.recorder.reader import open_recording

PICTURES = Path(__file__).parents[2] / "deploy/pictures"
HEAD = RecordingHead(
    "a" * 26, 1.7e9, "c", "n", "p", "exec", "audit", "iss", "sub", "<b>&", "login", "127.0.0.1", "v5", tty=True
)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(output: bytes) -> list[tuple[str | None, dict[str, str]]]:
    """The texts of a picture, without its title bar."""
    root = ET.fromstring(picture(HEAD, [Moment(0, Kind.STDOUT, output)]))
    return [(text.text, text.attrib) for text in root.iter(f"{SVG}text")][1:]


def test_the_picture_is_what_the_recording_shows(tmp_path: Path) -> None:
    recording = tmp_path / "shell.kwr"
    recording.write_bytes(b64decode((PICTURES / "shell.kwr.base64").read_bytes()))
    with open_recording(recording) as reader:
        assert reader.verify() == []
        assert (PICTURES / "shell.svg").read_text(encoding="utf-8") == picture(reader.head, reader.moments())
        shown = ["".join(text for text, _ in row) for row in last_screen(reader.head, reader.moments())[1]]
    assert shown[:2] == ["web-1$ echo I am in $HOSTNAME", "I am in web-1"]
    assert shown[-1] == "web-1$ exit"


def test_colours_weight_and_place_are_those_of_the_screen() -> None:
    (plain, at), (green, style) = drawn("中 \x1b[1;32mc\x1b[0m".encode())
    assert (plain, green) == ("中 ", "c")  # the first takes two cells
    assert (at["x"], at["textLength"], style["x"]) == ("16", "25.2", "41.2")
    assert (style["fill"], style["font-weight"]) == ("#7bd88f", "bold")


def test_text_stays_text() -> None:
    assert [text for text, _ in drawn(b"<script>&\"'</script>\x07\x1b]0;title\x07")] == ["<script>&\"'</script>"]


def test_reversed_text_has_a_ground() -> None:
    whole = picture(HEAD, [Moment(0, Kind.STDOUT, b"\x1b[7mx")])
    assert '<rect x="16" y="52" width="8.4" height="20" fill="#d7dde4"/>' in whole
    assert 'fill="#0f1419" xml:space="preserve">x</text>' in whole


def test_a_recording_that_shows_nothing_has_an_empty_screen() -> None:
    assert drawn(b"") == []
