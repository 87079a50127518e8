"""Recorded output → what may be shown on a terminal of somebody else: text, and an allowlist of what moves it about.

Whoever sat in the recorded shell chose these bytes, and whoever replays them sits at another terminal: a title that is
reported back as input, a clipboard that is written, a query that is answered, a key that is redefined
(CVE-2021-25743). So nothing passes but what is named here: ECMA-48 cursor movement, erasing, scrolling, SGR; of the
modes those of the screen, none of the keyboard or the mouse. Strings (OSC, DCS, APC, PM, SOS) vanish whole; a C1
control, as one byte or as UTF-8 (U+0080 to U+009F), becomes U+FFFD and what follows it is text.

What is written has one spelling: 7-bit, parameters decimal and bounded, `CSI s` as `ESC 7`, REP as the text it means.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from enum import Enum, auto

MAX_STRING_CHARS = 64 * 1024
"""Of an OSC, DCS …; one that does not end hides no more than this (xterm would take pictures of some MB)."""
MAX_SEQUENCE_CHARS = 256
"""Of a CSI; the longest honest one, a SGR with two true colours, has 40."""
MAX_NUMBER = 9_999
"""Rows, columns and counts beyond it mean the edge of any screen."""
MAX_REPEAT = 1_000
"""Characters that one REP stands for: a long line."""
MAX_SGR = 32
"""Attributes in one sequence; xterm keeps 30."""

REPLACEMENT = "\ufffd"
SCREEN_RESET = "\x1b[m\x1b[r\x1b[H\x1b[2J"
"""What stands for RIS, which would also change fonts, character sets and what a terminal remembers."""

_PLAIN = re.compile("[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]+")
_RUN = re.compile("[^\x00-\x07\x10-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]+")
"""`_PLAIN` with the controls that are kept."""
_MOVING = "\b\t\n\v\f\r\x0e\x0f"
_KEPT_C0 = frozenset(_MOVING)
_ESCAPES = {"7": "\x1b7", "8": "\x1b8", "D": "\x1bD", "E": "\x1bE", "M": "\x1bM", "c": SCREEN_RESET}
_CHARSETS = frozenset(("(0", "(B", ")0", ")B"))
_STRINGS = frozenset("]PX^_")
_MODES = frozenset(("6", "7", "25", "47", "1047", "1048", "1049"))
"""DECOM, DECAWM, DECTCEM, the alternate screens."""
_MOST = {"H": 2, "f": 2, "r": 2} | dict.fromkeys("ABCDEFGIJKLMPSTXZ@`ade", 1)
"""Final character → how many parameters it may have."""
_CSI = re.compile(r"([?]?)([0-9;:]*)([@-~])")
_WHOLE_CSI = re.compile(r"\x1b\[[?]?[0-9;:]*[@-~]")
"""The common case at once; whatever else stands in a sequence is read character by character."""


class _State(Enum):
    TEXT = auto()
    ESCAPE = auto()
    INTERMEDIATE = auto()
    CSI = auto()
    STRING = auto()
    STRING_ESCAPE = auto()


class TerminalFilter:
    """One stream of output. Equal results however it is cut; what a cut holds back is bounded."""

    def __init__(self, last: str = "") -> None:
        """`last`: the character that REP repeats, where this goes on from another one."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._state = _State.TEXT
        self._held = ""
        self._length = 0
        self.last = last
        self._steps: dict[_State, Callable[[str], str]] = {
            _State.TEXT: self._control,
            _State.ESCAPE: self._escape,
            _State.INTERMEDIATE: self._intermediate,
            _State.CSI: self._csi,
            _State.STRING: self._string,
            _State.STRING_ESCAPE: self._string_escape,
        }

    def feed(self, data: bytes) -> str:
        return self._filtered(self._decoder.decode(data))

    @property
    def is_settled(self) -> bool:
        """Nothing is held back: neither half a character nor half a sequence."""
        return self._state is _State.TEXT and not self._decoder.getstate()[0]

    def end(self) -> str:
        """The recording is over: a character that never ended is shown as broken, a sequence not at all."""
        rest = self._filtered(self._decoder.decode(b"", final=True))
        self._state = _State.TEXT
        return rest

    def _filtered(self, text: str) -> str:
        kept: list[str] = []
        position = 0
        while position < len(text):
            if self._state is _State.TEXT:
                if run := _RUN.match(text, position):
                    kept.append(run[0])
                    self.last = run[0].rstrip(_MOVING)[-1:] or self.last
                    position = run.end()
                    continue
                if (whole := _WHOLE_CSI.match(text, position)) and len(whole[0]) <= MAX_SEQUENCE_CHARS:
                    kept.append(self._allowed(whole[0][2:]))
                    position = whole.end()
                    continue
            kept.append(self._steps[self._state](text[position]))
            position += 1
        return "".join(kept)

    def _begin(self, state: _State) -> str:
        self._state, self._held, self._length = state, "", 0
        return ""

    def _control(self, char: str) -> str:
        if char == "\x1b":
            return self._begin(_State.ESCAPE)
        if char in _KEPT_C0:
            return char
        if char < "\x20" or char == "\x7f":
            return ""
        if _PLAIN.match(char):
            self.last = char
            return char
        self.last = REPLACEMENT
        return REPLACEMENT

    def _inside(self, char: str) -> str | None:
        """What a control inside a sequence does: most act at once, ESC, CAN and SUB end it. None: it is none."""
        if char == "\x1b":
            return self._begin(_State.ESCAPE)
        if char in "\x18\x1a":
            return self._begin(_State.TEXT)
        if char < "\x20":
            return char if char in _KEPT_C0 else ""
        if char == "\x7f":
            return ""
        if char > "\x7f":
            self._state = _State.TEXT
            return self._control(char)
        return None

    def _escape(self, char: str) -> str:
        inside = self._inside(char)
        if inside is not None:
            return inside
        if char == "[":
            return self._begin(_State.CSI)
        if char in _STRINGS:
            return self._begin(_State.STRING)
        if char < "\x30":
            self._begin(_State.INTERMEDIATE)
            self._held = char
            return ""
        self._state = _State.TEXT
        return _ESCAPES.get(char, "")

    def _intermediate(self, char: str) -> str:
        inside = self._inside(char)
        if inside is not None:
            return inside
        self._held = (self._held + char)[:MAX_SEQUENCE_CHARS]
        if char < "\x30":
            return ""
        self._state = _State.TEXT
        return f"\x1b{self._held}" if self._held in _CHARSETS else ""

    def _csi(self, char: str) -> str:
        inside = self._inside(char)
        if inside is not None:
            return inside
        self._held += char
        if len(self._held) > MAX_SEQUENCE_CHARS:
            return self._begin(_State.TEXT)
        if char < "@":
            return ""
        self._state = _State.TEXT
        return self._allowed(self._held)

    def _allowed(self, sequence: str) -> str:
        """The one spelling of a CSI's rest, or nothing."""
        match = _CSI.fullmatch(sequence)
        if match is None:
            return ""
        private, parameters, final = match[1], match[2], match[3]
        if final in "hl":
            return _modes(private, parameters, final)
        if private:
            return ""
        if final == "m":
            return _sgr(parameters)
        if final in "su":
            return "" if parameters else {"s": "\x1b7", "u": "\x1b8"}[final]
        if final == "b":
            return self.last * min(int((parameters if parameters.isdigit() else "") or 1), MAX_REPEAT)
        return _plain_csi(parameters, final)

    def _string(self, char: str) -> str:
        self._length += 1
        if char == "\x1b":
            self._state = _State.STRING_ESCAPE
        elif char in "\x07\x18\x1a\x9c" or self._length > MAX_STRING_CHARS:
            self._state = _State.TEXT
        return ""

    def _string_escape(self, char: str) -> str:
        if char == "\\":
            return self._begin(_State.TEXT)
        self._state = _State.ESCAPE
        return self._escape(char)


def _modes(private: str, parameters: str, final: str) -> str:
    """DECSET and DECRST, of what is the screen's; IRM alone of the plain ones."""
    allowed = _MODES if private else frozenset("4")
    kept = [one for one in parameters.split(";") if one in allowed]
    return f"\x1b[{private}{';'.join(kept)}{final}" if kept else ""


def _sgr(parameters: str) -> str:
    if not parameters:
        return "\x1b[m"
    parts = parameters.split(";")
    numbers = [number for part in parts for number in part.split(":")]
    if len(numbers) > MAX_SGR or any(len(number) > 4 for number in numbers):
        return ""
    return f"\x1b[{parameters}m"


def _plain_csi(parameters: str, final: str) -> str:
    most = _MOST.get(final)
    if most is None or ":" in parameters:
        return ""
    numbers = parameters.split(";") if parameters else []
    if len(numbers) > most or (final == "J" and numbers and numbers[0].lstrip("0") not in ("", "1", "2")):
        return ""  # ED 3 would erase what the viewer's terminal remembers
    bounded = [str(min(int(number), MAX_NUMBER)) if number else "" for number in numbers]
    return f"\x1b[{';'.join(bounded)}{final}"
