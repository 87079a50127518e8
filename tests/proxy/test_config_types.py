from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.config_types import (
    MAX_DURATION_SECONDS,
    MAX_SIZE_BYTES,
    Address,
    address,
    base_url,
    cluster_name,
    duration,
    duration_text,
    https_url,
    installation_name,
    issuer_url,
    path_from,
    server_url,
    size,
    size_text,
)


@given(st.integers(0, MAX_DURATION_SECONDS))
def test_a_duration_is_read_back_as_it_was_written(seconds):
    assert duration(duration_text(seconds)) == seconds


@given(st.integers(0, MAX_SIZE_BYTES))
@example(1_000_000_000_000_001)  # sixteen digits without a larger unit
def test_a_size_is_read_back_as_it_was_written(number):
    assert size(size_text(number)) == number


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("10h", 36_000), ("1d", 86_400), ("1h30m", 5_400), (" 1h ", 3_600)]
)
def test_durations_are_seconds(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("wrong", ["", "10", 10, "10 hours", "h", "1.5h", "-5m", "5m1h", "367d", None, True, "9" * 30])
def test_what_is_not_a_duration_is_refused(wrong):
    with pytest.raises(ValueError, match="a duration"):
        duration(wrong)


@pytest.mark.parametrize(("text", "number"), [("64KiB", 65_536), ("1MiB", 1 << 20), ("4GiB", 4 << 30), ("7B", 7)])
def test_sizes_are_bytes(text, number):
    assert size(text) == number


@pytest.mark.parametrize("wrong", ["64KB", "64", 64, "KiB", "1.5GiB", "-1B", "1025TiB", None])
def test_what_is_not_a_size_is_refused(wrong):
    with pytest.raises(ValueError, match="a size with its unit"):
        size(wrong)


@pytest.mark.parametrize(
    ("text", "expected", "loopback", "every"),
    [
        ("127.0.0.1:8443", Address("127.0.0.1", 8443), True, False),
        ("[::1]:8443", Address("::1", 8443), True, False),
        ("0.0.0.0:443", Address("0.0.0.0", 443), False, True),
        ("[::]:0", Address("::", 0), False, True),
        ("localhost:80", Address("localhost", 80), True, False),
        ("kwit.example.com:80", Address("kwit.example.com", 80), False, False),
    ],
)
def test_an_address_is_host_and_port(text, expected, loopback, every):
    read = address(text)
    assert (read, read.is_loopback, read.is_every_interface, str(read)) == (expected, loopback, every, text)
    assert address(read) is read


@pytest.mark.parametrize(
    "wrong", [":8443", "8443", 8443, "host", "host:65536", "::1:80", "[1.2.3:80", "[zz]:1", "a b:1"]
)
def test_what_is_not_an_address_is_refused(wrong):
    with pytest.raises(ValueError, match="HOST:PORT"):
        address(wrong)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (https_url, "https://kube.example.com:8443/", "https://kube.example.com:8443"),
        (base_url, "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        (base_url, "https://kwit.example.com", "https://kwit.example.com"),
        (issuer_url, "https://login.example.com/tenant/", "https://login.example.com/tenant/"),
        (server_url, "https://rancher.example.com/k8s/clusters/c-1/", "https://rancher.example.com/k8s/clusters/c-1"),
    ],
)
def test_urls_lose_the_last_slash_but_for_an_issuer(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "wrong", "why"),
    [
        (https_url, "http://127.0.0.1", "https://host"),
        (https_url, "https://host/path", "without a path"),
        (base_url, "http://kwit.example.com", "loopback only"),
        (issuer_url, "http://login.example.com", "loopback only"),
        (issuer_url, "https://user@host", "without user"),
        (issuer_url, "https://host?x=1", "without user"),
        (issuer_url, "https://host#x", "without user"),
        (issuer_url, "ftp://host", "such as"),
        (issuer_url, "https://", "such as"),
        (issuer_url, "https://host:0", "such as"),
        (issuer_url, "https://host:99999", "such as"),
        (issuer_url, "https://ho st", "such as"),
        (issuer_url, "https://höst", "such as"),
        (issuer_url, "https://h\\@ost", "such as"),
        (issuer_url, 3, "such as"),
        (issuer_url, "https://" + "h" * 3000, "such as"),
    ],
)
def test_urls_that_could_mean_something_else_are_refused(parse, wrong, why):
    with pytest.raises(ValueError, match=why):
        parse(wrong)


@pytest.mark.parametrize("name", ["a", "a1", "staging-eu", "a" * 63])
def test_names_are_dns_labels(name):
    assert (installation_name(name), cluster_name(name)) == (name, name)


@pytest.mark.parametrize("wrong", ["", "-a", "a-", "A", "a_b", "a/b", "../a", "a" * 64, "ä", None, 3, "a\n"])
def test_names_that_would_break_urls_files_or_certificates_are_refused(wrong):
    for parse in (installation_name, cluster_name):
        with pytest.raises(ValueError, match="a name of at most 63"):
            parse(wrong)


def test_a_cluster_may_have_dots_but_no_two_together():
    assert cluster_name("eu.staging") == "eu.staging"
    with pytest.raises(ValueError, match="a name"):
        cluster_name("eu..staging")


def test_relative_paths_start_where_the_file_is():
    assert path_from("a/b", Path("/etc/kwit")) == Path("/etc/kwit/a/b")
    assert path_from("/a", Path("/etc/kwit")) == Path("/a")
    for wrong in ("", 3, "a\0b", None):
        with pytest.raises(ValueError, match="a path"):
            path_from(wrong, Path("/etc"))
