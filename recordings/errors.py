"""What can go wrong with what is written down."""

from __future__ import annotations


class RecordingsError(Exception):
    """Base of this package's errors."""


class LogUnavailableError(RecordingsError):
    """The log cannot be written, so nothing that needs a record may happen. The message names the cause."""


class QuestionError(RecordingsError):
    """A question to the log cannot be understood; the message says what was expected."""
