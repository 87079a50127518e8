"""Checkpoints of the log kept elsewhere, so that the removal of its newest lines is bounded."""
