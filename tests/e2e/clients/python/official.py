"""The official client: its calls are urllib3's, its WebSocket (websocket-client) sends an Origin."""

import json
import sys

from kubernetes import client, config, watch
from kubernetes.stream import stream

kubeconfig, namespace, pod, mark = sys.argv[1:]
config.load_kube_config(kubeconfig)
core = client.CoreV1Api()

listed = [one.metadata.name for one in core.list_namespaced_pod(namespace).items]

since = core.list_namespaced_config_map(namespace).metadata.resource_version
core.create_namespaced_config_map(namespace, {"metadata": {"name": mark}})
core.delete_namespaced_config_map(mark, namespace)
watched = []
watching = watch.Watch()
selector = f"metadata.name={mark}"
for event in watching.stream(
    core.list_namespaced_config_map, namespace, field_selector=selector, resource_version=since, timeout_seconds=30
):
    watched.append(event["type"])
    if event["type"] == "DELETED":
        watching.stop()

shell = stream(
    core.connect_get_namespaced_pod_exec, pod, namespace, container="main",
    command=["sh", "-c", "read x; echo out $x; echo err $x >&2; exit 3"],
    stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
)  # fmt: skip
shell.write_stdin("hello\n")
shell.run_forever(timeout=30)
told = {"out": shell.read_stdout(), "err": shell.read_stderr(), "code": shell.returncode}
print(json.dumps({"listed": listed, "watched": watched, **told}))
