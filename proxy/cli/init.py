"""`kwit init`: a commented configuration, an example role, and what to do next. Never overwrites anything."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.cli.client import private_file
from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import examples

EXAMPLE_ROLE = """\
# Who may do what. Files in this directory are read again when they change; a broken one keeps the last good policy.
apiVersion: kubewitness.dev/v1
kind: Role
metadata: {name: viewer}
spec:
  # What the cluster's own RBAC sees. There, bind this group to a ClusterRole such as `view`.
  as: {groups: ["kwit:viewers"]}
  allow:
    - {apiGroups: ["", apps, batch], resources: ["*"], verbs: [get, list, watch]}
  deny:
    - {apiGroups: [""], resources: [secrets], verbs: ["*"]}
---
apiVersion: kubewitness.dev/v1
kind: RoleBinding
metadata: {name: viewers}
spec:
  role: viewer
  # A group as the identity provider calls it.
  subjects: [{kind: Group, connector: CONNECTOR, name: eng}]
"""

_PLACEHOLDERS = {
    "installation": "example",
    "kube_url": "https://kube.example.com:8443",
    "web_url": "https://kwit.example.com:8444",
    "issuer": "https://login.example.com",
    "client_id": "kwit",
    "client_secret_file": "client-secret",
}
_QUESTIONS = {
    "installation": "A short name for this installation",
    "kube_url": "The URL at which kubectl will reach it",
    "web_url": "The URL at which people sign in",
    "issuer": "The OpenID provider's issuer",
    "client_id": "The client id registered there",
}


@click.command(
    "init",
    epilog=examples(
        "kwit init /etc/kwit",
        "kwit init /etc/kwit --installation acme --web-url https://kwit.example.com --issuer https://login.example.com",
        "kwit init --schema > kwit.schema.json",
    ),
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--installation", help="A short name: it stands in every certificate.")
@click.option("--kube-url", help="Where kubectl will reach it, such as https://kube.example.com:8443.")
@click.option("--web-url", help="Where people sign in, such as https://kwit.example.com.")
@click.option("--connector", default="corp", show_default=True, help="What to call the identity provider.")
@click.option("--issuer", help="The OpenID provider's issuer, exactly as it writes it.")
@click.option("--client-id", help="As registered with the provider.")
@click.option("--client-secret-file", help="The file that will hold the client secret.  [default: client-secret]")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of kwit.yaml for your editor, and write nothing.")
def command(directory: Path, connector: str, schema: bool, **given: str | None) -> int:
    """Write kwit.yaml, roles/ and clusters/ into DIRECTORY (here, if none is named).

    On a terminal it asks for what no option says; elsewhere it asks nothing and writes example values.
    """
    from proxy.config import Config, ConfigError, json_schema

    if schema:
        click.echo(json_schema(), nl=False)
        return 0
    target = directory / "kwit.yaml"
    if target.exists():
        raise Problem(f"{target} exists and stays as it is; name another directory, or edit it")
    values = _answers(given)
    text = configuration(connector, values)
    try:
        Config.parse(text, path=target)
    except ConfigError as error:
        raise Problem(f"nothing was written:\n{error}") from error
    written = _write(directory, text, connector)
    click.echo("".join(f"wrote {path}\n" for path in written) + next_steps(target, connector, values), nl=False)
    return 0


def configuration(connector: str, values: dict[str, str]) -> str:
    """The text of kwit.yaml for these values, all else at its default."""
    from proxy.config_template import render

    provider = {"type": "oidc", "name": connector, "issuer": values["issuer"], "client_id": values["client_id"]}
    return render(
        {
            "installation": values["installation"],
            "kube": {"url": values["kube_url"]},
            "web": {"url": values["web_url"]},
            "connectors": [{**provider, "client_secret_file": values["client_secret_file"]}],
        }
    )


def next_steps(target: Path, connector: str, values: dict[str, str]) -> str:
    """What is left for the person to do, in order."""
    return f"""
Next:
  1. Register {values["web_url"].rstrip("/")}/callback/{connector} as redirect URI with {values["issuer"]}
     and put the client secret into {target.parent / values["client_secret_file"]} (chmod 600).
  2. Look through {target}; what is listed there listens on loopback until you say otherwise.
  3. Prepare a cluster:   kwit cluster manifest NAME --roles {target.parent / "roles"} | kubectl apply -f -
     and register it:     kwit cluster add NAME -c {target} --server URL --ca-file CA --token-file TOKEN
  4. kwit doctor -c {target}
  5. kwit serve -c {target}
"""


def _answers(given: dict[str, str | None]) -> dict[str, str]:
    asked = sys.stdin.isatty() and sys.stdout.isatty()
    values = {}
    for key, placeholder in _PLACEHOLDERS.items():
        value = given.get(key)
        if value is None and asked and key in _QUESTIONS:
            value = str(click.prompt(_QUESTIONS[key], default=placeholder))
        values[key] = value or placeholder
    return values


def _write(directory: Path, text: str, connector: str) -> list[Path]:
    """The files that were not there before; the configuration last, since it is what makes the rest count."""
    wanted = {
        directory / "roles" / "viewer.yaml": EXAMPLE_ROLE.replace("CONNECTOR", connector),
        directory / "kwit.yaml": text,
    }
    for folder in (directory, directory / "roles", directory / "clusters"):
        folder.mkdir(parents=True, exist_ok=True)
    return [path for path, content in wanted.items() if private_file.create(path, content, mode=0o644)]
