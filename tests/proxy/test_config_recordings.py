from pathlib import Path

import pytest

from proxy.config import Config, ConfigError

SMALL = """\
installation: example
data_dir: /var/lib/kwit
kube: {url: "https://kube.example.com:8443"}
web: {url: "https://kwit.example.com"}
connectors:
  - {name: corp, type: oidc, issuer: "https://login.example.com", client_id: kwit, client_secret_file: secret}
"""


def parse(text: str) -> Config:
    return Config.parse(SMALL + text, path=Path("/etc/kwit/kwit.yaml"))


def test_recordings_are_kept_in_the_data_directory_unless_another_is_named():
    assert parse("").recordings_directory == Path("/var/lib/kwit/recordings")
    assert parse("recordings: {directory: kept}").recordings_directory == Path("/etc/kwit/kept")


def test_one_stream_may_carry_4_gib_unless_something_else_is_written():
    assert parse("").recordings.max_bytes == 4 << 30
    assert parse("recordings: {max_bytes: 10MiB}").recordings.max_bytes == 10 << 20
    with pytest.raises(ConfigError):
        parse("recordings: {max_bytes: 1KiB}")
