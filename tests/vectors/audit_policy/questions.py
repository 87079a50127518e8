"""Policies and requests at which the API server's evaluator is asked; prints them as JSON. See README.md."""

import json
import random
from pathlib import Path

import yaml

PROFILES = Path(__file__).parents[3] / "recordings" / "audit" / "policy" / "profiles"
SEED = 20261123
USERS = ["ann", "bob", "system:kube-proxy", "system:node:one", ""]
GROUPS = ["dev", "ops", "system:nodes", "system:authenticated"]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post"]
API_GROUPS = ["", "apps", "rbac.authorization.k8s.io", "example.com"]
RESOURCES = ["pods", "secrets", "deployments", "nodes", "events", "configmaps", "endpoints"]
SUBRESOURCES = ["", "", "exec", "status", "log", "scale"]
NAMESPACES = ["", "default", "kube-system"]
NAMES = ["", "one", "two"]
PATHS = ["/healthz", "/healthz/etcd", "/version", "/", "/metrics", "/apis", "/apis/apps", "/swagger-2.0.0.json"]
PATTERNS = ["*", "pods", "pods/exec", "*/status", "pods/*", "secrets", "*/exec", "nodes/status", "deployments", "*/*"]
URLS = ["*", "/healthz*", "/version", "/apis/*", "/", "/apis", "/swagger*", "/met*"]
STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
WRONG = [
    {"level": "metadata"},
    {"level": "Metadata", "nonResourceURLs": ["healthz"]},
    {"level": "Metadata", "nonResourceURLs": ["/a*b"]},
    {"level": "Metadata", "nonResourceURLs": ["/a"], "namespaces": ["x"]},
    {"level": "Metadata", "nonResourceURLs": ["/a"], "resources": [{"group": ""}]},
    {"level": "Metadata", "resources": [{"group": "apps/v1", "resources": ["deployments"]}]},
    {"level": "Metadata", "resources": [{"group": "", "resourceNames": ["one"]}]},
    {"level": "Metadata", "omitStages": ["Later"]},
    {"level": "Metadata", "verb": ["get"]},
]


def some(random_, values, at_most):
    return sorted(random_.sample(values, random_.randint(0, at_most)))


def rule(random_):
    made = {"level": random_.choice(["None", "Metadata", "Request", "RequestResponse"])}
    for key, values in (("users", USERS[:4]), ("userGroups", GROUPS), ("verbs", VERBS)):
        if random_.random() < 0.3:
            made[key] = some(random_, values, 2)
    kind = random_.random()
    if kind < 0.6:
        if random_.random() < 0.4:
            made["namespaces"] = some(random_, NAMESPACES, 2)
        made["resources"] = [
            {"group": random_.choice([*API_GROUPS, "*"]), "resources": some(random_, PATTERNS, 3)}
            for _ in range(random_.randint(0, 2))
        ]
        for group in made["resources"]:
            if group["resources"] and random_.random() < 0.2:
                group["resourceNames"] = ["one"]
    elif kind < 0.8:
        made["nonResourceURLs"] = some(random_, URLS, 2)
    if random_.random() < 0.2:
        made["omitStages"] = some(random_, STAGES, 2)
    if random_.random() < 0.2:
        made["omitManagedFields"] = random_.random() < 0.5
    return made


def request(random_):
    is_resource = random_.random() < 0.75
    asked = {
        "user": random_.choice(USERS),
        "groups": some(random_, GROUPS, 3),
        "verb": random_.choice(VERBS),
        "is_resource_request": is_resource,
    }
    if not is_resource:
        return asked | {"path": random_.choice(PATHS)}
    return asked | {
        "api_group": random_.choice(API_GROUPS),
        "resource": random_.choice(RESOURCES),
        "subresource": random_.choice(SUBRESOURCES),
        "namespace": random_.choice(NAMESPACES),
        "name": random_.choice(NAMES),
    }


def policy(rules, **rest):
    return yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules} | rest, sort_keys=False)


def questions():
    random_ = random.Random(SEED)
    for path in sorted(PROFILES.glob("*.yaml")):
        yield {"policy": path.read_text(), "requests": [request(random_) for _ in range(100)]}
    for _ in range(60):
        rest = {} if random_.random() < 0.7 else {"omitStages": some(random_, STAGES, 2), "omitManagedFields": True}
        rules = [rule(random_) for _ in range(random_.randint(1, 5))]
        yield {"policy": policy(rules, **rest), "requests": [request(random_) for _ in range(40)]}
    for wrong in WRONG:
        yield {"policy": policy([wrong]), "requests": []}
    yield {"policy": policy([]), "requests": []}


if __name__ == "__main__":
    print(json.dumps(list(questions())))
