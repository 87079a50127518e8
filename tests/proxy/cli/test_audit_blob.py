"""Claims about `kwit audit blob`."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from proxy.cli import main
from recordings.audit.blobs import keep
from recordings.audit.segments import segment_name


def test_the_whole_line_or_a_sentence(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    segment = tmp_path / "node-0" / segment_name(1, 0)
    segment.parent.mkdir()
    keep(segment, b'{"whole":true}\n')
    digest = sha256(b'{"whole":true}\n').hexdigest()
    assert main(["audit", "blob", digest, "--dir", str(tmp_path)]) == 0
    assert capfdbinary.readouterr().out == b'{"whole":true}\n'
    assert main(["audit", "blob", "0" * 64, "--dir", str(tmp_path)]) == 1
    assert b"there is no blob" in capfdbinary.readouterr().err
