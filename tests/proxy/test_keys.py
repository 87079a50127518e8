import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from auth.client_cert import read_credential
from auth.identity import LoginID
from auth.keystore import KeystoreError
from proxy.config import Config
from proxy.keys import audit_root, issuer, load_keys
from recordings.audit.note import PublicKey
from recordings.errors import LogUnavailableError

NOW = 1_800_000_000.0
TEXT = """\
installation: example
data_dir: data
kube: {url: "https://localhost:8443"}
web: {url: "https://localhost:8444"}
connectors: [{type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: s}]
"""


def config(folder):
    return Config.parse(TEXT, path=folder / "kwit.yaml")


def test_they_are_made_once_and_are_the_same_ever_after(tmp_path):
    first, second = load_keys(config(tmp_path), NOW), load_keys(config(tmp_path), NOW + 1e6)
    assert first.people.pem == second.people.pem
    assert first.servers.pem == second.servers.pem
    assert (first.state.reveal(), first.redaction) == (second.state.reveal(), second.redaction)
    assert len({first.people.pem, first.servers.pem}) == 2
    assert len({first.state.reveal(), first.redaction}) == 2


def test_nobody_else_can_read_them(tmp_path):
    load_keys(config(tmp_path), NOW)
    folder = tmp_path / "data" / "ca"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes) == {"people.crt", "people.key", "servers.crt", "servers.key", "redaction.secret", "state.secret"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_none_of_them_shows_in_a_representation(tmp_path):
    keys = load_keys(config(tmp_path), NOW)
    assert repr(keys.redaction) not in repr(keys)
    assert repr(keys.state.reveal()) not in repr(keys)


def test_a_cut_secret_is_an_error_that_names_it(tmp_path):
    load_keys(config(tmp_path), NOW)
    (tmp_path / "data" / "ca" / "state.secret").write_bytes(b"short")
    with pytest.raises(KeystoreError, match=r"state\.secret does not hold 32 bytes"):
        load_keys(config(tmp_path), NOW)


def test_what_is_issued_proves_login_cluster_and_installation(tmp_path):
    issue = issuer(load_keys(config(tmp_path), NOW).people, "example")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    login = LoginID("abcdefghijklmnopqrstuvwxyz")
    issued = [issue(key, "staging", login, NOW, 3600.0) for _ in range(2)]
    certificates = [x509.load_pem_x509_certificate(one.pem.encode()) for one in issued]
    from cryptography.hazmat.primitives.serialization import Encoding

    credential = read_credential(certificates[0].public_bytes(Encoding.DER), "example")
    assert (credential.cluster, credential.login_id) == ("staging", login)
    assert certificates[0].serial_number != certificates[1].serial_number


def test_the_logs_root_key_is_made_once_and_its_public_key_lies_in_the_logs_directory(tmp_path):
    first, second = audit_root(config(tmp_path)), audit_root(config(tmp_path))
    assert first.public == second.public
    assert first.public.name == "example/audit-root"
    assert PublicKey.parse((tmp_path / "data" / "audit" / "root.pub").read_text().strip()) == first.public
    assert stat.S_IMODE((tmp_path / "data" / "ca" / "audit-root.key").stat().st_mode) == 0o600


def test_a_root_key_of_the_operators_own_is_used_where_the_configuration_names_it(tmp_path):
    made = audit_root(config(tmp_path))
    moved = tmp_path / "root.pem"
    (tmp_path / "data" / "ca" / "audit-root.key").rename(moved)
    given = Config.parse(TEXT + "audit: {root_key_file: root.pem}\n", path=tmp_path / "kwit.yaml")
    assert audit_root(given).public == made.public
    assert not (tmp_path / "data" / "ca" / "audit-root.key").exists()
    moved.unlink()
    with pytest.raises(LogUnavailableError, match=r"root\.pem is missing"):
        audit_root(given)


def test_a_log_whose_root_key_was_lost_gets_no_other_one(tmp_path):
    audit_root(config(tmp_path))
    (tmp_path / "data" / "ca" / "audit-root.key").unlink()
    with pytest.raises(LogUnavailableError, match="restore the root key"):
        audit_root(config(tmp_path))
