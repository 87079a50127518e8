"""Names that people may have, and identities made of them, drawn: what sign-in accepts is what is drawn from."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

from proxy.impersonation import EXTRA_CERTIFICATE, EXTRA_LOGIN, Impersonation

AWKWARD = st.sampled_from((
    "a,b", "x,system:masters", "a;b", 'a "b"', "a=b", "a:b", "a: b", "CN=a,O=b", "a%2Cb", "a%0d%0ab", "a\\r\\nb",
    "ad..min", "мария", "田中", "é", "🦊", "a b  c", "Impersonate-User: root", "mysystem:x", "-", "*", "{{ x }}",
))  # fmt: skip


def _sendable(text: str) -> bool:
    plain = text == text.strip() and text.isprintable() and unicodedata.is_normalized("NFC", text)
    return plain and not unicodedata.normalize("NFKC", text).casefold().lstrip().startswith("system:")


NAMES = AWKWARD | st.text(min_size=1, max_size=12).filter(_sendable)
IDENTITIES = st.builds(
    Impersonation,
    NAMES,
    st.lists(NAMES, min_size=1, max_size=8).map(tuple),
    st.none() | NAMES,
    st.tuples(NAMES, NAMES).map(lambda values: tuple(zip((EXTRA_LOGIN, EXTRA_CERTIFICATE), values, strict=True))),
)
