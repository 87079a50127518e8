"""`kwit cluster manifest|add|ls`: prepare a cluster, register it, list what is registered."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.client import private_file
from proxy.cli.client.problem import Problem
from proxy.cli.help_pages import Family, examples
from proxy.cli.output import Column, output_option, show
from proxy.finding import Level

if TYPE_CHECKING:
    from proxy.clusters import Cluster

COLUMNS = (
    Column("NAME", "name"),
    Column("STATUS", "status"),
    Column("SERVER", "server"),
    Column("CREDENTIALS", "credentials"),
    Column("LABELS", "labels", lambda value, now: ",".join(f"{k}={v}" for k, v in sorted(value.items())), wide=True),  # noqa: ARG005
    Column("PROBLEM", "problem", wide=True),
)

_config = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("kwit.yaml"),
    show_default=True,
    help="The configuration it is registered in.",
)
_file = click.Path(path_type=Path, dir_okay=False)


ADD = "kwit cluster add staging --server https://10.0.0.1:6443 --ca-file ca.crt --token-file token"
MANIFEST = "kwit cluster manifest staging --roles roles/ | kubectl --context staging apply -f -"


@click.group("cluster", cls=Family, epilog=examples(MANIFEST, ADD, "kwit cluster ls"))
def command() -> None:
    """Prepare clusters, register them, list them."""


@command.command("manifest", epilog=examples(MANIFEST))
@click.argument("name")
@click.option("--roles", type=click.Path(path_type=Path, file_okay=False), help="Grant the groups these roles send.")
@click.option("--groups", help="Grant these groups too, separated by commas.")
@click.option("--any-group", is_flag=True, help="Grant every group, where roles make them per person.")
@click.option("--namespace", default="kubewitness", show_default=True, help="Where kwit's account lives.")
@click.option("--constrained", is_flag=True, help="Constrained impersonation, for Kubernetes 1.36 and later.")
@click.option("--in-cluster", is_flag=True, help="kwit runs in this cluster itself: no token to fetch.")
def manifest(
    name: str,
    *,
    roles: Path | None,
    groups: str | None,
    any_group: bool,
    namespace: str,
    constrained: bool,
    in_cluster: bool,
) -> None:
    """Print the YAML that gives kwit the least it needs in a cluster."""
    from proxy.config_types import cluster_name, installation_name
    from proxy.manifest import ManifestError, literal_groups
    from proxy.manifest import manifest as write

    try:
        cluster_name(name)
        installation_name(namespace)  # a namespace is a DNS label as well
    except ValueError as error:
        raise Problem(f"{name!r} in {namespace!r}: expected {error}") from error
    listed = [group for group in (groups or "").split(",") if group]
    try:
        wanted = None if any_group else literal_groups([*listed, *_sent_groups(roles, listed)])
        text = write(name, groups=wanted, namespace=namespace, constrained=constrained, token=not in_cluster)
    except ManifestError as error:
        raise Problem(str(error)) from error
    click.echo(text, nl=False)


@command.command("add", epilog=examples(ADD, "kwit cluster add staging --context staging-kwit"))
@click.argument("name")
@_config
@click.option("--context", help="Take address and credential from this kubeconfig context.")
@click.option("--kubeconfig", type=_file, help="The kubeconfig of --context.  [default: $KUBECONFIG or ~/.kube/config]")
@click.option("--server", help="The API server's URL.")
@click.option("--ca-file", type=_file, help="PEM file of its CA.")
@click.option("--token-file", type=_file, help="File with the token of kwit's account.")
@click.option("--client-certificate", type=_file, help="PEM file; with --client-key instead of a token.")
@click.option("--client-key", type=_file, help="PEM file of its key.")
@click.option("--tls-server-name", help="The name to check where the URL has another.")
@click.option("--in-cluster", is_flag=True, help="The cluster that kwit itself runs in.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="What roles select by; may be repeated.")
@click.option("--replace", is_flag=True, help="Write over a cluster of this name.")
@click.option("--no-check", is_flag=True, help="Register it without a try.")
def add(name: str, *, config_path: Path, replace: bool, no_check: bool, **given: Any) -> int:
    """Register a cluster: try it, then write its file."""
    config = _load_config(config_path)
    path = config.clusters_dir / f"{name}.yaml"
    if path.exists() and not replace:
        raise Problem(f"{path} exists and stays as it is; --replace writes over it")
    text = cluster_text(name, given)
    if not (given["context"] or given["in_cluster"] or (given["server"] and given["ca_file"])):
        raise Problem("where is it, and who vouches for it? Add --server URL and --ca-file FILE")
    cluster = _parse(text, path)
    if not no_check and not _try(cluster):
        raise Problem(f"{name} was not registered; mend what failed, or register it untried with --no-check")
    path.parent.mkdir(parents=True, exist_ok=True)
    private_file.write(path, text)  # it may name where credentials lie
    click.echo(f"{name} is registered in {path}; a running kwit takes it up by itself.")
    return 0


@command.command("ls", epilog=examples("kwit cluster ls -o wide"))
@_config
@output_option
def ls(config_path: Path, form: str) -> None:
    """List the registered clusters, as their files say."""
    rows = listing(_load_config(config_path).clusters_dir)
    if not rows and form in ("table", "wide"):
        click.echo("No cluster is registered. Add one: kwit cluster add NAME --context CONTEXT", err=True)
        return
    click.echo(show(rows, COLUMNS, form, _now()), nl=False)


def listing(directory: Path) -> list[dict[str, Any]]:
    """A row for each file in `directory`; those that cannot be used have status `broken` and a problem."""
    from proxy.clusters import ClusterFile, build_cluster
    from proxy.config import ConfigError, parse_section, read_text

    rows = []
    for path in sorted(directory.glob("*.yaml")):
        row: dict[str, Any] = {"name": path.stem, "status": "broken"}
        try:
            file = parse_section(ClusterFile, read_text(path), path=path)
            row |= {"labels": dict(file.labels), "credentials": file.credentials.kind}
            row |= {"server": build_cluster(file, path).server, "status": "ready"}
        except ConfigError as error:
            row["problem"] = str(error.mistakes[0])
        rows.append(row)
    return rows


def cluster_text(name: str, given: Mapping[str, Any]) -> str:
    """The text of a cluster's file from the options of `cluster add`. Raises Problem when they do not fit together."""
    import yaml

    ways = [key for key in ("context", "token_file", "client_certificate", "in_cluster") if given.get(key)]
    if len(ways) != 1:
        raise Problem("say how kwit proves itself: one of --context, --token-file, --client-certificate, --in-cluster")
    body: dict[str, Any] = {"name": name}
    labels = dict(_label(text) for text in given.get("labels") or ())
    body |= {"labels": labels} if labels else {}
    for key in ("server", "tls_server_name"):
        body |= {key: given[key]} if given.get(key) else {}
    body |= {"ca_file": _absolute(given["ca_file"])} if given.get("ca_file") else {}
    body["credentials"] = _credentials(ways[0], given)
    text: str = yaml.safe_dump(body, sort_keys=False, allow_unicode=True)
    return text


def _credentials(way: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if way == "in_cluster":
        return {"kind": "in_cluster"}
    if way == "token_file":
        return {"kind": "token_file", "path": _absolute(given["token_file"])}
    if way == "client_certificate":
        if not given.get("client_key"):
            raise Problem("--client-certificate needs its key: --client-key FILE")
        certificate, key = _absolute(given["client_certificate"]), _absolute(given["client_key"])
        return {"kind": "client_certificate", "certificate": certificate, "key": key}
    return {
        "kind": "kubeconfig",
        "path": _absolute(given.get("kubeconfig") or _kubeconfig()),
        "context": given["context"],
    }


def _kubeconfig() -> Path:
    listed = os.environ.get("KUBECONFIG", "")  # noqa: TID251 - where kubectl looks
    first = listed.split(os.pathsep)[0]
    return Path(first) if first else Path.home() / ".kube" / "config"


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise Problem(f"--label {text!r}: expected KEY=VALUE")
    return key, value


def _sent_groups(directory: Path | None, listed: list[str]) -> list[str]:
    """What the roles send; templates are left out where the person listed groups by hand."""
    if directory is None:
        return []
    from auth.rbac import PolicyError
    from auth.role_files import load

    try:
        roles, _ = load(directory)
    except PolicyError as error:
        raise Problem(f"the roles cannot be read:\n{error}") from error
    groups = [group for role in roles for group in role.as_groups]
    return [group for group in groups if not (listed and "{{" in group)]


def _try(cluster: Cluster) -> bool:
    """Say what the cluster answered; True when nothing failed."""
    from proxy.cli.doctor import table
    from proxy.cluster_probe import probe

    findings = asyncio.run(probe(cluster, _now()))
    click.echo(table(findings), nl=False, err=True)
    return not any(finding.level is Level.FAIL for finding in findings)


def _parse(text: str, path: Path) -> Cluster:
    from proxy.clusters import ClusterFile, build_cluster
    from proxy.config import ConfigError, parse_section

    try:
        return build_cluster(parse_section(ClusterFile, text, path=path), path)
    except ConfigError as error:
        raise Problem(f"nothing was written:\n{error}") from error


def _load_config(path: Path) -> Any:
    from proxy.config import Config, ConfigError

    try:
        return Config.load(path)
    except ConfigError as error:
        raise Problem(f"the configuration cannot be used:\n{error}") from error


def _now() -> float:
    return time.time()  # noqa: TID251 - a command is where the clock comes from
