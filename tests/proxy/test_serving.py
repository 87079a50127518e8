import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from auth.ca import new_ca
from auth.keystore import serving_certificate
from proxy.config import Tls
from proxy.config_types import Address
from proxy.serving import OWN_RENEWAL_SECONDS, ServingCertificate, hosts_of, names_of

NOW = 1_800_000_000.0
CA = new_ca("test", NOW)


class Context(ssl.SSLContext):
    """A real one that notes what is loaded."""

    def __new__(cls):
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self):
        self.loaded = []

    def load_cert_chain(self, chain, key):
        super().load_cert_chain(chain, key)
        self.loaded.append(x509.load_pem_x509_certificate(Path(chain).read_bytes()).serial_number)


def shown(context):
    """The serial number of the certificate that a new client is shown."""
    client = ssl.create_default_context(cadata=CA.pem)
    client.check_hostname = False
    client.verify_flags |= 0x200000  # no dates
    wires = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    ends = [context.wrap_bio(wires[0], wires[1], server_side=True), client.wrap_bio(wires[1], wires[0])]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return x509.load_der_x509_certificate(ends[1].getpeercert(binary_form=True)).serial_number


def own(folder, now=NOW):
    return ServingCertificate(None, folder, "kube", CA, ["kube.example.com", "127.0.0.1"], now=now)


def test_our_own_names_host_and_address_and_is_to_be_trusted_by_our_ca(tmp_path):
    serving = own(tmp_path)
    certificate = x509.load_pem_x509_certificate(serving.chain.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["kube.example.com", "127.0.0.1"]
    assert serving.ca_pem == CA.pem


def test_our_own_is_made_anew_each_day(tmp_path):
    serving, context = own(tmp_path), Context()
    assert serving.renew(context, NOW + OWN_RENEWAL_SECONDS - 1) is False
    assert serving.renew(context, NOW + OWN_RENEWAL_SECONDS) is True
    assert serving.renew(context, NOW + OWN_RENEWAL_SECONDS + 1) is False
    assert serving.renew(context, NOW + 2 * OWN_RENEWAL_SECONDS) is True
    assert len(set(context.loaded)) == 2


def test_a_clock_that_went_back_renews_too(tmp_path):
    assert own(tmp_path).renew(Context(), NOW - 1) is True


def test_the_operators_is_loaded_when_its_files_change_and_a_half_pair_is_not(tmp_path):
    chain, key = serving_certificate(tmp_path / "given", "tls", CA, ["a.example"], now=NOW)
    serving = ServingCertificate(Tls(certificate=chain, key=key), tmp_path, "kube", CA, ["x"], now=NOW)
    context = Context()
    context.load_cert_chain(chain, key)
    assert (serving.chain, serving.key, serving.ca_pem) == (chain, key, "")
    assert serving.renew(context, NOW + 1e6) is False
    other, other_key = serving_certificate(tmp_path / "other", "tls", CA, ["a.example"], now=NOW)
    other.replace(chain)
    assert serving.renew(context, NOW + 1) is False
    assert str(chain) in serving.problem
    assert shown(context) == context.loaded[0]
    other_key.replace(key)
    assert serving.renew(context, NOW + 2) is True
    assert serving.problem == ""
    assert len(set(context.loaded)) == 2
    assert shown(context) == context.loaded[1]


def test_a_file_that_is_gone_is_a_problem_and_the_old_one_serves(tmp_path):
    chain, key = serving_certificate(tmp_path / "given", "tls", CA, ["a.example"], now=NOW)
    serving = ServingCertificate(Tls(certificate=chain, key=key), tmp_path, "kube", CA, ["x"], now=NOW)
    chain.unlink()
    assert serving.renew(Context(), NOW + 1) is False
    assert "No such file" in serving.problem


@pytest.mark.parametrize(
    ("url", "address", "names"),
    [
        ("https://kube.example.com:8443", Address("0.0.0.0", 8443), ("kube.example.com",)),
        ("https://kube.example.com", Address("10.0.0.1", 443), ("kube.example.com", "10.0.0.1")),
        ("https://127.0.0.1:1", Address("127.0.0.1", 1), ("127.0.0.1",)),
        ("https://[::1]:1", Address("::1", 1), ("::1",)),
    ],
)
def test_a_certificate_names_what_people_type_and_where_it_listens(url, address, names):
    assert names_of(url, address) == names


@pytest.mark.parametrize(
    ("url", "address", "hosts"),
    [
        ("https://Kube.example.com:8443", Address("0.0.0.0", 8443), {b"kube.example.com:8443"}),
        ("https://kube.example.com", Address("::", 8443), {b"kube.example.com", b"kube.example.com:443"}),
        ("https://kube.example.com:443", Address("::", 8443), {b"kube.example.com", b"kube.example.com:443"}),
        ("https://k.example:9", Address("10.0.0.1", 8), {b"k.example:9", b"10.0.0.1:8"}),
        ("https://[::1]:9", Address("::1", 9), {b"[::1]:9"}),
    ],
)
def test_only_these_hosts_are_meant_for_us(url, address, hosts):
    assert hosts_of(url, address) == hosts
