"""The command line: `kwit`.

`main` answers the one call that kubectl makes over and over, `kwit credential` with a certificate in hand, before
anything but the standard library is imported; everything else goes to `proxy.cli.commands`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 for success, 1 for refused or failed, 2 for wrong usage."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args[:1] == ["credential"]:
        from proxy.cli.client.cached import answer

        text = answer(args[1:])
        if text is not None:
            sys.stdout.write(text)
            return 0
    from proxy.cli.commands import run

    return run(args)
