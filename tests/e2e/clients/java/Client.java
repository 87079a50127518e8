import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** fabric8's client: its calls, its watches and its shells are Vert.x's; watches are WebSockets. */
public class Client {
  private static final int PATIENCE = 30; // seconds

  /** Usage: Client KUBECONFIG NAMESPACE POD MARK. */
  public static void main(String[] arguments) throws Exception {
    String namespace = arguments[1], pod = arguments[2], mark = arguments[3];
    Map<String, Object> told = new LinkedHashMap<>();
    // As where KUBECONFIG names it. Config.fromKubeconfig looks at no key that a plugin gives, and takes it for RSA's.
    System.setProperty("kubeconfig", arguments[0]);
    try (KubernetesClient client = new KubernetesClientBuilder().build()) {
      told.put(
          "listed",
          client.pods().inNamespace(namespace).list().getItems().stream()
              .map(one -> one.getMetadata().getName())
              .toList());
      told.put("watched", watch(client, namespace, mark));
      told.putAll(execute(client, namespace, pod));
    }
    System.out.println(Serialization.asJson(told).replaceAll("\\s*\\n\\s*", ""));
    System.exit(0); // threads of Vert.x may linger
  }

  private static List<String> watch(KubernetesClient client, String namespace, String mark)
      throws Exception {
    var maps = client.configMaps().inNamespace(namespace);
    var since = maps.list().getMetadata().getResourceVersion();
    maps.resource(
            new ConfigMapBuilder().withNewMetadata().withName(mark).endMetadata().build())
        .create();
    maps.withName(mark).delete();
    List<String> watched = new CopyOnWriteArrayList<>();
    CountDownLatch over = new CountDownLatch(1);
    Watcher<ConfigMap> watcher =
        new Watcher<>() {
          @Override
          public void eventReceived(Action action, ConfigMap one) {
            watched.add(action.name());
            if (action == Action.DELETED) {
              over.countDown();
            }
          }

          @Override
          public void onClose(WatcherException error) {
            over.countDown();
          }
        };
    try (var watching = maps.withName(mark).withResourceVersion(since).watch(watcher)) {
      over.await(PATIENCE, TimeUnit.SECONDS);
    }
    return watched;
  }

  private static Map<String, Object> execute(KubernetesClient client, String namespace, String pod)
      throws Exception {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    var in = new ByteArrayInputStream("hello\n".getBytes(StandardCharsets.UTF_8));
    String script = "read x; echo out $x; echo err $x >&2; exit 3";
    try (ExecWatch shell =
        client
            .pods()
            .inNamespace(namespace)
            .withName(pod)
            .inContainer("main")
            .readingInput(in)
            .writingOutput(out)
            .writingError(err)
            .exec("sh", "-c", script)) {
      int code = shell.exitCode().get(PATIENCE, TimeUnit.SECONDS);
      return Map.of("out", out.toString(), "err", err.toString(), "code", code);
    }
  }
}
