"""The configured identity providers as connectors."""

from __future__ import annotations

from collections.abc import Mapping

from auth.connectors import Connector
from auth.connectors.github import GithubConnector, GithubSettings
from auth.connectors.oidc import OidcConnector, OidcSettings
from auth.mapping import compile_mapping
from auth.secret import Secret
from proxy import config as configured


def connectors_of(config: configured.Config, environ: Mapping[str, str]) -> dict[str, Connector]:
    """By name. Their secrets are read now, from files or from `environ`. Raises ConfigError."""
    return {one.name: _connector(one, environ) for one in config.connectors}


def _connector(one: configured.AnyConnector, environ: Mapping[str, str]) -> Connector:
    secret = Secret(configured.read_client_secret(one, environ).encode())
    display_name = one.display_name or one.name
    if isinstance(one, configured.GithubConnector):
        return GithubConnector(
            GithubSettings(
                one.name, display_name, one.client_id, secret, one.organizations, one.base_url.rstrip("/"), one.ca_file
            )
        )
    return OidcConnector(
        OidcSettings(
            name=one.name,
            display_name=display_name,
            issuer=one.issuer,
            client_id=one.client_id,
            client_secret=secret,
            scopes=one.scopes,
            algorithms=one.algorithms,
            mapping=compile_mapping(one.mapping.username, one.mapping.groups, one.mapping.email),
            ca_file=one.ca_file,
        )
    )
