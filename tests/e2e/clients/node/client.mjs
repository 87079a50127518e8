// @kubernetes/client-node 1: its calls are node-fetch's, its WebSocket is ws. 2 needs Node 22.
// usage: node client.mjs MODULES KUBECONFIG NAMESPACE POD MARK
import { PassThrough, Readable } from "node:stream";
import { pathToFileURL } from "node:url";

const [modules, kubeconfig, namespace, pod, mark] = process.argv.slice(2);
const k8s = await import(pathToFileURL(`${modules}/@kubernetes/client-node/dist/index.js`));
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(k8s.CoreV1Api);

const listed = (await core.listNamespacedPod({ namespace })).items.map((one) => one.metadata.name);

const resourceVersion = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: mark } } });
await core.deleteNamespacedConfigMap({ namespace, name: mark });
const watched = [];
await new Promise(async (resolve, reject) => {
  const query = { fieldSelector: `metadata.name=${mark}`, resourceVersion };
  const watching = await new k8s.Watch(config).watch(
    `/api/v1/namespaces/${namespace}/configmaps`,
    query,
    (type) => {
      watched.push(type);
      if (type === "DELETED") {
        watching.abort();
        resolve();
      }
    },
    (error) => (error && error.name !== "AbortError" ? reject(error) : resolve()),
  );
});

const streams = { out: new PassThrough(), err: new PassThrough() };
const told = { out: "", err: "" };
for (const name of ["out", "err"]) streams[name].on("data", (piece) => (told[name] += piece));
const status = await new Promise((resolve, reject) =>
  new k8s.Exec(config)
    .exec(
      namespace,
      pod,
      "main",
      ["sh", "-c", "read x; echo out $x; echo err $x >&2; exit 3"],
      streams.out,
      streams.err,
      Readable.from([Buffer.from("hello\n")]),
      false,
      resolve,
    )
    .catch(reject),
);
const cause = status.details.causes.find((one) => one.reason === "ExitCode");
console.log(JSON.stringify({ listed, watched, ...told, code: Number(cause.message) }));
process.exit(0);
