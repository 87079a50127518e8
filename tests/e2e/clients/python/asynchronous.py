"""kubernetes_asyncio: its calls and its WebSocket are aiohttp's."""

import asyncio
import json
import sys

from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient

kubeconfig, namespace, pod, mark = sys.argv[1:]


async def execute() -> dict[str, object]:
    output = {1: "", 2: "", 3: ""}
    async with WsApiClient() as api:
        shell = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            pod, namespace, container="main", command=["sh", "-c", "read x; echo out $x; echo err $x >&2; exit 3"],
            stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
        )  # fmt: skip
        async with shell as socket:
            await socket.send_bytes(b"\0hello\n")
            async for message in socket:
                output[message.data[0]] += message.data[1:].decode()
    return {"out": output[1], "err": output[2], "code": WsApiClient.parse_error_data(output[3])}


async def main() -> None:
    await config.load_kube_config(kubeconfig)
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        listed = [one.metadata.name for one in (await core.list_namespaced_pod(namespace)).items]
        since = (await core.list_namespaced_config_map(namespace)).metadata.resource_version
        await core.create_namespaced_config_map(namespace, {"metadata": {"name": mark}})
        await core.delete_namespaced_config_map(mark, namespace)
        watched = []
        async with watch.Watch().stream(
            core.list_namespaced_config_map, namespace, field_selector=f"metadata.name={mark}",
            resource_version=since, timeout_seconds=30,
        ) as events:  # fmt: skip
            async for event in events:
                watched.append(event["type"])
                if event["type"] == "DELETED":
                    break
    print(json.dumps({"listed": listed, "watched": watched, **await execute()}))


asyncio.run(main())
