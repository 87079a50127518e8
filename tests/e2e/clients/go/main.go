// Command client is a client-go program as controllers and k9s are made: informers, and a shell that tries a WebSocket
// and falls back to SPDY.
// usage: client KUBECONFIG NAMESPACE POD MARK websocket|spdy
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

const patience = 30 * time.Second

func main() {
	kubeconfig, namespace, pod, mark, way := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	check(err)
	clients, err := kubernetes.NewForConfig(config)
	check(err)

	listed := []string{}
	pods, err := clients.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	check(err)
	for _, one := range pods.Items {
		listed = append(listed, one.Name)
	}
	watched := watch(ctx, clients, namespace, mark)

	var out, problem bytes.Buffer
	executor := shell(config, clients, namespace, pod, way)
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{
		Stdin: strings.NewReader("hello\n"), Stdout: &out, Stderr: &problem,
	})
	var exit exec.CodeExitError
	if !errors.As(err, &exit) {
		log.Fatalf("no exit code: %v", err)
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"listed": listed, "watched": watched, "out": out.String(), "err": problem.String(), "code": exit.Code,
	}))
}

// watch is what an informer tells of a config map that comes and goes.
func watch(ctx context.Context, clients kubernetes.Interface, namespace, mark string) []string {
	seen := make(chan string)
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	tell := func(kind string) func(any) {
		return func(object any) {
			if one, ok := object.(*corev1.ConfigMap); ok && one.Name == mark {
				seen <- kind
			}
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: tell("ADDED"), DeleteFunc: tell("DELETED")})
	check(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	maps := clients.CoreV1().ConfigMaps(namespace)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: mark}}, metav1.CreateOptions{})
	check(err)
	watched := []string{<-seen}
	check(maps.Delete(ctx, mark, metav1.DeleteOptions{}))
	return append(watched, <-seen)
}

func shell(config *rest.Config, clients kubernetes.Interface, namespace, pod, way string) remotecommand.Executor {
	options := &corev1.PodExecOptions{
		Container: "main", Command: []string{"sh", "-c", "read x; echo out $x; echo err $x >&2; exit 3"},
		Stdin: true, Stdout: true, Stderr: true,
	}
	request := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("exec").VersionedParams(options, scheme.ParameterCodec)
	bySPDY, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	check(err)
	if way == "spdy" {
		return bySPDY
	}
	byWebSocket, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	check(err)
	fallback, err := remotecommand.NewFallbackExecutor(byWebSocket, bySPDY, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	check(err)
	return fallback
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
