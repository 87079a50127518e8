"""Claims about the page of code that knows nothing of ours: of what was changed, it believes what we believe."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recordings.audit.merkle import ProofError
from recordings.audit.note import Ed25519Signer
from recordings.audit.proof import check_proof, parse_proof
from recordings.audit.prove import prove
from recordings.audit.verify import verify
from tests.battery.log.tamper import KEYS, KINDS, ROOT, Log, all_lines, mutant, names, written

OTHER = Ed25519Signer.of("acme/audit-root", Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32))
MUTANTS = 1_000


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("independent", Path(__file__).with_name("independent.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return written(tmp_path_factory.mktemp("true"))


@pytest.fixture(scope="module")
def proofs(log: Log, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of every record: all have one id."""
    directory = tmp_path_factory.mktemp("log")
    for name, data in log.files.items():
        (directory / name).write_bytes(data)
    found: dict[str, Any] = json.loads(prove(directory, "id").as_json())
    assert len(found["proofs"]) > 10
    return found


def believes(check: Callable[[], object]) -> bool:
    """Whatever it raises, it does not believe."""
    try:
        check()
    except Exception:  # noqa: BLE001 - the page has no errors of its own
        return False
    return True


def _ours(data: bytes) -> None:
    check_proof(parse_proof(data), ROOT.public)


def _theirs(page: ModuleType, data: bytes) -> None:
    page.verify_proof(json.loads(data), str(ROOT.public))


def changed(proofs: dict[str, Any], random: Random) -> bytes:
    """One proof of them, changed in one way."""
    proof = {**proofs, "proofs": [dict(random.choice(proofs["proofs"]))]}
    one, other = proof["proofs"][0], random.choice(proofs["proofs"])
    way = random.randrange(11)
    if way == 0:
        one["index"] += random.choice((-1, 1, 64, -one["index"]))
    elif way == 1:
        one["path"] = one["path"][:-1] if random.random() < 0.5 else one["path"][1:]
    elif way == 2:
        one["path"] = [*one["path"], *random.sample(other["path"], min(1, len(other["path"])))]
    elif way == 3:
        one["path"] = random.sample(one["path"], len(one["path"]))
    elif way == 4:
        one["checkpoint"] = other["checkpoint"]
    elif way == 5:
        one["record"] = other["record"]
    elif way == 6:
        one |= {"path": other["path"], "index": other["index"]}
    elif way == 7:
        at = random.randrange(len(proof["keys"]))
        proof["keys"] = proof["keys"][:at] + proof["keys"][at + 1 :]
    elif way == 8:
        proof["keys"] = random.sample(proof["keys"], len(proof["keys"]))
    elif way == 9:
        one["checkpoint"] = one["checkpoint"].replace("\n", "\n\n", 1)
    data = bytearray(json.dumps(proof).encode())
    if way == 10:
        data[random.randrange(len(data))] ^= 1 << random.randrange(7)
    return bytes(data)


def test_of_proofs_it_believes_just_those_that_we_believe(page: ModuleType, proofs: dict[str, Any]) -> None:
    believed = 0
    for seed in range(MUTANTS):
        data = changed(proofs, Random(seed))
        ours = believes(partial(_ours, data))
        theirs = believes(partial(_theirs, page, data))
        assert ours == theirs, (seed, data)
        believed += ours
    assert 0 < believed < MUTANTS // 3
    whole = json.dumps(proofs).encode()
    assert believes(lambda: page.verify_proof(json.loads(whole), str(ROOT.public)))
    with pytest.raises(ProofError):
        check_proof(parse_proof(whole), OTHER.public)


def test_of_logs_it_believes_nothing_that_we_do_not_believe(page: ModuleType, log: Log, tmp_path: Path) -> None:
    """It passes over more than we do: file names, keys without segments, and what only a crash explains."""
    there: dict[str, bytes] = {}
    believed = 0
    for seed in range(MUTANTS // 2):
        files = mutant(log, KINDS[seed % len(KINDS)], Random(seed))
        if files is None:
            continue
        for name in there.keys() - files.keys():
            (tmp_path / name).unlink()
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        there = files
        if believes(lambda: page.verify_log(tmp_path, str(ROOT.public))):
            believed += 1
            found = all_lines(files)
            assert found in [one[: len(found)] for one in (log.lines, all_lines(log.other))], (seed, names(files))
            kinds = {one.kind for verdict in verify(tmp_path, ROOT.public) for one in verdict.findings}
            assert kinds <= {"missing", "altered", "keys"}, seed
            assert KEYS in files
    assert believed < MUTANTS // 20
