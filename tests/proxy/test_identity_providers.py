import pytest

from auth.connectors.github import GithubConnector
from auth.connectors.oidc import OidcConnector
from proxy.config import Config, ConfigError
from proxy.identity_providers import connectors_of

TEXT = """\
installation: example
kube: {url: "https://localhost:8443"}
web: {url: "https://localhost:8444"}
connectors:
  - {type: oidc, name: corp, issuer: "https://id.example.com", client_id: kwit, client_secret_file: secret}
  - {type: github, name: gh, display_name: GitHub, client_id: kwit, client_secret_env: GH, organizations: [shop]}
"""


def load(folder):
    return Config.parse(TEXT, path=folder / "kwit.yaml")


def test_each_becomes_a_connector_of_its_kind_by_name(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    found = connectors_of(load(tmp_path), {"GH": "other"})
    assert [(name, type(one), one.name, one.display_name) for name, one in found.items()] == [
        ("corp", OidcConnector, "corp", "corp"),
        ("gh", GithubConnector, "gh", "GitHub"),
    ]


def test_a_secret_that_is_missing_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"connector corp.*client_secret_file"):
        connectors_of(load(tmp_path), {"GH": "other"})
    (tmp_path / "secret").write_text("s3cret\n")
    with pytest.raises(ConfigError, match=r"connector gh.*GH is not set"):
        connectors_of(load(tmp_path), {})
