from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.kubectl_command import KubectlCommandError, requests_of

SENT = """\
kubectl delete secret x -n y
    delete secrets x in y
kubectl get po -A -w
    list pods
    watch pods
kubectl get pods,svc -nshop
    list pods in shop
    list services in shop
kubectl --namespace=shop get pod/a svc/b
    get pods a in shop
    get services b in shop
kubectl exec -it web -n shop -- sh -c 'rm -n x'
    get pods web in shop
    get pods/exec web in shop
kubectl cp shop/web:/etc/x .
    get pods web in shop
    get pods/exec web in shop
kubectl cp . web:/x -n shop
    get pods web in shop
    get pods/exec web in shop
kubectl port-forward pod/web 80
    get pods web in default
    get pods/portforward web in default
kubectl create secret generic a --from-literal=x=y
    create secrets a in default
kubectl create token robot
    create serviceaccounts/token robot in default
kubectl scale deploy/web --replicas 3
    get deployments.apps web in default
    patch deployments.apps/scale web in default
kubectl apply deployment/web
    get deployments.apps web in default
    patch deployments.apps web in default
kubectl replace cm/a
    get configmaps a in default
    update configmaps a in default
kubectl set image deploy/web a=b
    get deployments.apps web in default
    patch deployments.apps web in default
kubectl rollout status deploy/web
    get deployments.apps web in default
    watch deployments.apps web in default
kubectl rollout history deploy/web
    get deployments.apps web in default
kubectl drain one
    get nodes one
    patch nodes one
kubectl describe node one
    get nodes one
    list events
kubectl delete pods a b
    delete pods a in default
    delete pods b in default
kubectl delete pods --all
    list pods in default
    delete pods in default
kubectl run -it x --image=y
    create pods x in default
    watch pods x in default
    get pods/attach x in default
kubectl debug -it web --image b
    get pods web in default
    patch pods/ephemeralcontainers web in default
    get pods/attach web in default
get widgets.example.com w
    get widgets.example.com w in default
"""
"""A command, and below it what it sends."""


def table() -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in SENT.splitlines():
        if line.startswith(" "):
            found[-1][1].append(line.strip())
        else:
            found.append((line, []))
    return found


@pytest.mark.parametrize(("command", "requests"), table())
def test_what_kubectl_would_send(command, requests):
    assert [str(one) for one in requests_of(command)] == requests


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "a command such as"),
        ("kubectl", "a command such as"),
        ("kubectl get 'po", "quotes do not close"),
        ("kubectl frobnicate x", "`kubectl frobnicate` cannot be asked about; these can: annotate"),
        ("kubectl apply -f x.yaml", "a file cannot be read here"),
        ("kubectl get widgets", "write others in full, such as widgets.example.com"),
        ("kubectl exec", "name a pod"),
        ("kubectl get pods -o json | less", "'|' and what follows is the shell's affair"),
        ("kubectl edit deployment", "name one of the deployments, such as deployments/NAME"),
        ("kubectl " + "x" * 5_000, "at most 4096 characters"),
    ],
)
def test_what_cannot_be_asked_about_is_said(command, message):
    with pytest.raises(KubectlCommandError, match=message.replace("(", r"\(")):
        requests_of(command)


@given(st.text(max_size=60), st.sampled_from(["", "kubectl get ", "kubectl delete ", "kubectl cp ", "kubectl run "]))
def test_whatever_is_typed_gives_requests_or_a_sentence(text, beginning):
    with suppress(KubectlCommandError):
        assert requests_of(beginning + text)
