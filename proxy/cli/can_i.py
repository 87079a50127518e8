"""`kwit can-i VERB RESOURCE[/SUBRESOURCE] [NAME]`, or `VERB /PATH`: the verdict, its role and rule.

Exit code 0 is yes, 1 no. What is asked is put into the words of a request by the server (`proxy.web.question`).
"""

from __future__ import annotations

import click

from auth.kubeconfig import KubeconfigError, current_cluster
from proxy.cli.client import contexts, terminal
from proxy.cli.client.api import visible
from proxy.cli.client.problem import Problem
from proxy.cli.client.saved_login import SavedLogin
from proxy.cli.help_pages import examples
from proxy.cli.output import output_option, structured


@click.command(
    "can-i",
    epilog=examples(
        "kwit can-i delete pods -n shop",
        "kwit can-i get deployments.apps/scale web -n shop --cluster staging",
        "kwit can-i patch configmaps -n shop --server-side",
        "kwit can-i get /metrics",
    ),
)
@click.argument("verb")
@click.argument("resource", metavar="RESOURCE[/SUBRESOURCE]|/PATH")
@click.argument("name", default="")
@click.option("-n", "--namespace", default="", help="In this namespace  [default: cluster-wide]")
@click.option("--cluster", help="In this cluster  [default: that of the current context]")
@click.option("--api-group", default="", help="Of the resource, where RESOURCE does not say it as `deployments.apps`.")
@click.option("--as", "as_user", default="", help="With `kubectl --as` this user.")
@click.option("--as-group", "as_groups", multiple=True, help="With `kubectl --as-group`; may be given several times.")
@click.option("--as-uid", default="", help="With `kubectl --as-uid`.")
@click.option("--server-side", is_flag=True, help="With `kubectl apply --server-side`; VERB is patch.")
@click.option("--server", help="Of which server  [default: the last one]")
@output_option
def command(
    *,
    verb: str,
    resource: str,
    name: str,
    namespace: str,
    cluster: str | None,
    api_group: str,
    as_user: str,
    as_groups: tuple[str, ...],
    as_uid: str,
    server_side: bool,
    server: str | None,
    form: str,
) -> int:
    """May I VERB RESOURCE[/SUBRESOURCE] [NAME], or VERB /PATH? Says which role and rule decide."""
    login, api = terminal.signed_in(server)
    where = {"cluster": cluster or _cluster(login), "verb": verb}
    what = _thing(resource, api_group) | {"namespace": namespace, "name": name}
    whom = {"as": as_user, "as_groups": list(as_groups), "as_uid": as_uid}
    how = {"server_side": server_side}
    question = where | what | {key: value for key, value in (whom | how).items() if value}
    answer = api.call("POST", "/api/v1/can-i", question)
    allowed = answer.get("allowed") is True
    click.echo(structured(answer, form) if form in ("json", "yaml") else _sentence(allowed, answer))
    return 0 if allowed else 1


def _thing(resource: str, api_group: str) -> dict[str, str]:
    """`deployments.apps/scale`, or a path."""
    if resource.startswith("/"):
        return {"path": resource}
    plain, _, subresource = resource.partition("/")
    plain, _, group = plain.partition(".")
    return {"resource": plain, "subresource": subresource, "api_group": group or api_group}


def _sentence(allowed: bool, answer: dict[str, object]) -> str:
    """The server's reason names role and rule; where it gives none, they are named here."""
    by = " ".join(f"{word} {answer[word]}" for word in ("role", "rule") if answer.get(word))
    reason = visible(str(answer.get("reason") or by))
    return ("yes" if allowed else "no") + (f" - {reason}" if reason else "")


def _cluster(login: SavedLogin) -> str:
    """The current context's, if it is one of the login's; else the only one. Raises Problem."""
    names = [c.name for c in login.clusters]
    try:
        current = current_cluster(contexts.read(contexts.path(None)))
    except KubeconfigError:
        current = None
    if current in names:
        return str(current)
    if len(names) == 1:
        return names[0]
    raise Problem(
        f"in which cluster? Add --cluster, one of: {', '.join(names) or '(none is open to you)'}", exit_code=2
    )
