"""A verifier of logs and proofs on a page, by recordings/audit/FORMAT.md alone: it uses nothing of this project.

`python independent.py ROOT_KEY DIRECTORY` or `… ROOT_KEY PROOF.json`; it raises, or says what holds.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def opened(note, public):
    """The text of a note that the key NAME+ID+BASE64 signed, and nobody else."""
    text, signatures = note.rsplit("\n\n", 1)
    name, key_id, encoded = public.split("+", 2)
    (line,) = signatures.splitlines()
    dash, signer, value = line.split(" ")
    raw, key = base64.b64decode(value, validate=True), base64.b64decode(encoded)
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    assert (dash, signer, raw[:4].hex(), key[0]) == ("—", name, key_id, 1)
    assert base64.b64encode(raw).decode() == value
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], (text + "\n").encode())
    return text.split("\n")


def chain(notes, root):
    """[(first line's number, key)]: each vouched for by the one before, or by the root."""
    keys = []
    for note in notes:
        by = f"— {root.split('+')[0]} "
        kind, _origin, size, key = opened(note, root if not keys or by in note.rsplit("\n\n", 1)[1] else keys[-1][1])
        assert kind == "kubewitness.dev/segment-key/v1"
        keys.append((int(size), key))
    return keys


def sha(data):
    return hashlib.sha256(data).digest()


def tree(nodes, size, line):
    """The frontier of the tree with one more leaf."""
    node = sha(b"\x00" + line)
    nodes = list(nodes)
    while size & 1:
        node, size = sha(b"\x01" + nodes.pop() + node), size >> 1
    return [*nodes, node]


def root_of(nodes):
    *rest, root = nodes
    for node in reversed(rest):
        root = sha(b"\x01" + node + root)
    return base64.b64encode(root).decode()


def verify_log(directory, root):
    keys = chain([json.loads(line)["key"] for line in (directory / "keys").read_text().splitlines()], root)
    size, nodes = 0, []
    for path in sorted(directory.glob("*.ndjson")):
        *lines, rest = path.read_bytes().split(b"\n")
        header = json.loads(lines[0])["header"]
        assert not rest
        assert (header["tree"]["size"], header["key"]) in keys
        assert (header["tree"]["size"], [base64.b64decode(one) for one in header["tree"]["frontier"]]) == (size, nodes)
        for line in lines:
            if line.startswith(b'{"checkpoint":'):
                note = json.loads(line)["checkpoint"]
                assert json.dumps({"checkpoint": note}, ensure_ascii=False, separators=(",", ":")).encode() == line
                assert opened(note, header["key"])[1:] == [str(size), root_of(nodes)]
                signed = size
            nodes, size = tree(nodes, size, line), size + 1
    assert signed == size - 1, "lines at the end are signed by nobody"
    return size


def verify_proof(proof, root):
    assert proof["format"] == "kubewitness.dev/audit-proof/v1"
    keys = chain(proof["keys"], root)
    for one in proof["proofs"]:
        claimed = int(one["checkpoint"].split("\n")[1])
        first, key = [pair for pair in keys if pair[0] < claimed][-1]
        _origin, size, wanted = opened(one["checkpoint"], key)
        number, last, node = one["index"], int(size) - 1, sha(b"\x00" + one["record"].encode())
        assert first <= number <= last
        for sibling in map(base64.b64decode, one["path"]):
            assert last
            if number & 1 or number == last:
                node = sha(b"\x01" + sibling + node)
                while number and not number & 1:
                    number, last = number >> 1, last >> 1
            else:
                node = sha(b"\x01" + node + sibling)
            number, last = number >> 1, last >> 1
        assert (last, base64.b64encode(node).decode()) == (0, wanted)
    return len(proof["proofs"])


if __name__ == "__main__":
    place = Path(sys.argv[2])
    if place.is_dir():
        print(verify_log(place, sys.argv[1]), "lines hold")
    else:
        print(verify_proof(json.loads(place.read_text()), sys.argv[1]), "records hold")
