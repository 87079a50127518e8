"""Every fuzz target by its name. A target takes any bytes, holds what its docstring says of them by assertions, and
gives a word about what came of them; anything that it raises is a finding.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.targets import http, log, names, others, recordings, streams

ALONE = streams.TARGETS | recordings.TARGETS | log.TARGETS | http.TARGETS | names.TARGETS
"""Those that need nothing but the project."""
TARGETS: dict[str, Callable[[bytes], str]] = ALONE | others.TARGETS
