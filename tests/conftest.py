"""Properties search the same cases in every run, so that a red run is about the change and can be had again.

`HYPOTHESIS_PROFILE=searching make test` looks for new ones; what it finds becomes an `@example`.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
