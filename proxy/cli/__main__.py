"""`python -m proxy.cli`: the same as `kwit`, for a checkout and for the image."""

from __future__ import annotations

import sys

from proxy.cli import main

if __name__ == "__main__":
    sys.exit(main())
