"""Documents of a provider that are kept for a while: its key set, its metadata.

Fresh for minutes, so that a key it withdrew is refused soon; usable for longer while the provider is silent; then
nothing is admitted. An unknown key asks again, but at most once in 30 s whatever strangers send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from auth.errors import AuthError, Reason

KEYS_FRESH_SECONDS = 300.0
"""A withdrawn key is refused after this, while the provider answers."""
KEYS_MAX_AGE_SECONDS = 3600.0
"""Without an answer for longer, nobody signs in."""
METADATA_FRESH_SECONDS = 3600.0
METADATA_MAX_AGE_SECONDS = 86_400.0
RETRY_SECONDS = 30.0
"""Between two fetches, whatever asks for them."""

T = TypeVar("T")


class Kept(Generic[T]):
    """One document. `fetch` raises AuthError when it cannot be had."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], *, fresh_seconds: float, max_age_seconds: float) -> None:
        self._fetch = fetch
        self._fresh_seconds = fresh_seconds
        self._max_age_seconds = max_age_seconds
        self._value: T | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure: AuthError | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self, now: float) -> T:
        """The document, at most `max_age_seconds` old. Raises AuthError(CONNECTOR_UNAVAILABLE)."""
        if self._value is None or now - self._fetched_at >= self._fresh_seconds:
            await self._renew(now)
        if self._value is None or now - self._fetched_at > self._max_age_seconds:
            raise self._failure or AuthError(
                Reason.CONNECTOR_UNAVAILABLE, "the identity provider has not answered for too long; try again later"
            )
        return self._value

    async def again(self, now: float) -> T:
        """The document, fetched anew unless that was tried within 30 s. Raises as `get`."""
        await self._renew(now)
        return await self.get(now)

    async def _renew(self, now: float) -> None:
        async with self._one_at_a_time:
            if now - self._tried_at < RETRY_SECONDS:
                return
            self._tried_at = now
            try:
                self._value = await self._fetch()
            except AuthError as error:
                self._failure = error
            else:
                self._fetched_at, self._failure = now, None
