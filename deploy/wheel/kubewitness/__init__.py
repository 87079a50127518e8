"""What an installation from the wheel starts with.

In the checkout `auth`, `proxy` and `recordings` are plain packages; in a wheel they lie inside this directory, so that
installing us puts no package of those names into anybody's site-packages. They become importable in our own process
only, when `kwit` starts. In an editable installation they are importable already, and nothing needs to be done.
"""

from __future__ import annotations

import sys

_HERE = __file__.removesuffix("__init__.py").rstrip("/\\")


def main() -> int:
    """Run `kwit`; the exit code."""
    sys.path.insert(0, _HERE)
    from proxy.cli import main as run

    return run()
