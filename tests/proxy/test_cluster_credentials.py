import ssl
from dataclasses import dataclass, field

import pytest
import trustme

from proxy.cluster_credentials import (
    MAX_CREDENTIAL_BYTES,
    RENEW_BEFORE_SECONDS,
    REREAD_SECONDS,
    RETRY_SECONDS,
    CertificateFiles,
    CredentialError,
    Credentials,
    Fixed,
    Material,
    TokenFile,
    read_bounded,
    tls_context,
)

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("kwit")
PEM = CERTIFICATE.cert_chain_pems[0].bytes()
KEY = CERTIFICATE.private_key_pem.bytes()


@dataclass
class Scripted:
    """Gives or raises what the script says, then the last of it for ever."""

    script: list = field(default_factory=list)
    asked: int = 0

    def fetch(self) -> Material:
        step = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        if isinstance(step, Exception):
            raise step
        return step


async def test_nothing_is_in_force_before_the_first_reading():
    credentials = Credentials(Fixed(Material(token="t")))
    assert (credentials.authorization(), credentials.material, credentials.problem) == (None, None, "not read yet")
    assert await credentials.refresh(0.0)
    assert (credentials.authorization(), credentials.problem) == (b"Bearer t", None)


async def test_a_token_file_is_read_again_as_it_rotates(tmp_path):
    path = tmp_path / "token"
    path.write_text("one\n")
    credentials = Credentials(TokenFile(path))
    await credentials.refresh(0.0)
    path.write_text("two\n")
    assert not await credentials.refresh(REREAD_SECONDS - 1)
    assert credentials.authorization() == b"Bearer one"
    assert await credentials.refresh(REREAD_SECONDS)
    assert credentials.authorization() == b"Bearer two"


async def test_what_expires_is_renewed_shortly_before():
    source = Scripted([Material(token="one", expires_at=1000.0), Material(token="two", expires_at=2000.0)])
    credentials = Credentials(source)
    await credentials.refresh(0.0)
    assert not await credentials.refresh(1000 - RENEW_BEFORE_SECONDS - 1)
    assert await credentials.refresh(1000 - RENEW_BEFORE_SECONDS)
    assert (credentials.authorization(), source.asked) == (b"Bearer two", 2)


async def test_a_failing_source_leaves_the_last_good_until_it_expires_and_then_nothing():
    source = Scripted([Material(token="one", expires_at=100.0), CredentialError("no network")])
    credentials = Credentials(source)
    await credentials.refresh(0.0)
    await credentials.refresh(50.0)
    assert (credentials.authorization(), credentials.problem) == (b"Bearer one", "no network")
    assert not await credentials.refresh(50.0 + RETRY_SECONDS - 1)
    assert source.asked == 2
    generation = credentials.generation
    assert await credentials.refresh(100.0)
    assert (credentials.authorization(), credentials.material) == (None, None)
    assert credentials.generation == generation + 1


async def test_only_a_changed_certificate_asks_for_a_new_tls_context():
    pair = {"certificate_pem": PEM, "key_pem": KEY}
    source = Scripted([Material(**pair), Material(**pair), Material(certificate_pem=PEM + b"\n", key_pem=KEY)])
    credentials = Credentials(source)
    generations = []
    for now in (0.0, 100.0, 200.0):
        await credentials.refresh(now)
        generations.append(credentials.generation)
    assert generations == [1, 1, 2]
    assert credentials.authorization() is None


async def test_a_new_token_keeps_the_tls_context():
    credentials = Credentials(Scripted([Material(token="a"), Material(token="b")]))
    assert [await credentials.refresh(now) for now in (0.0, 100.0)] == [True, True]
    assert credentials.generation == 1


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"certificate_pem": b"x"},
        {"token": "t", "key_pem": b"x"},
        {"token": ""},
        {"token": "a b"},
        {"token": "a\r\nX: y"},
        {"token": "ä"},
    ],
)
def test_material_that_proves_nothing_or_breaks_a_header_cannot_exist(parts):
    with pytest.raises(CredentialError):
        Material(**parts)


def test_material_does_not_show_itself():
    assert repr(Material(token="s3cret", certificate_pem=b"s3cret", key_pem=b"s3cret")) == "Material(expires_at=None)"


def test_files_that_cannot_be_used_are_named(tmp_path):
    path = tmp_path / "token"
    for content, why in [
        (None, "cannot be read: No such file"),
        (b" \n", "is empty"),
        (b"x" * 300_000, "is larger than"),
    ]:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CredentialError, match=f"{path} {why}"):
            TokenFile(path).fetch()
    path.write_bytes(b"x" * MAX_CREDENTIAL_BYTES)
    assert len(read_bounded(path)) == MAX_CREDENTIAL_BYTES


def test_certificate_files_are_read_together(tmp_path):
    (tmp_path / "c").write_bytes(PEM)
    (tmp_path / "k").write_bytes(KEY)
    assert CertificateFiles(tmp_path / "c", tmp_path / "k").fetch() == Material(certificate_pem=PEM, key_pem=KEY)


def test_a_context_trusts_the_clusters_ca_alone_and_carries_our_certificate():
    ca = CA.cert_pem.bytes().decode()
    context = tls_context(ca, Material(certificate_pem=PEM, key_pem=KEY))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    "ca", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_ca_that_is_none_is_refused(ca):
    with pytest.raises(CredentialError, match="the cluster's CA is not PEM"):
        tls_context(ca, None)


def test_a_pair_that_does_not_fit_is_refused():
    ca = CA.cert_pem.bytes().decode()
    other = CA.issue_cert("other").private_key_pem.bytes()
    for key in (other, b"none"):
        with pytest.raises(CredentialError, match="do not fit or are no PEM"):
            tls_context(ca, Material(certificate_pem=PEM, key_pem=key))


def test_an_encrypted_key_asks_nobody_for_a_passphrase():
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(KEY, None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    with pytest.raises(CredentialError, match="without a passphrase"):
        tls_context(CA.cert_pem.bytes().decode(), Material(certificate_pem=PEM, key_pem=locked))
