"""One target under the fuzzer, in a process of its own: `python -m tests.fuzz.one TARGET OPTION … FOLDER …`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["auth", "proxy", "recordings"]):
    from tests.fuzz.all_targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    target = TARGETS[name]

    def one_input(data: bytes) -> None:
        target(data)

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
