"""Properties search the same cases in every run, so that a red run is about the change and can be had again.

`HYPOTHESIS_PROFILE=searching make test` looks for new ones; what it finds becomes an `@example`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.auth.connectors.provider import Provider

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Shells start what runs in the background with SIGINT ignored, which programs that tests start would inherit: those
# that are ended by it would then not end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """An OpenID provider on loopback, for whatever signs somebody in."""
    from tests.auth.connectors.provider import Provider

    provider = await Provider().start()
    yield provider
    await provider.stop()
