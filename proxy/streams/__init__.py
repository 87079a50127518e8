"""Upgraded connections: the handshake on both sides, the relay between them, and which of them are live."""
