// Command console lives as long as k9s does: informers, a shell and a port-forward by WebSocket and by SPDY, and a
// question every half second, past the renewal of its certificate. It says as JSON what it lost.
// usage: console KUBECONFIG NAMESPACE POD MARK
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/metrics"
)

const (
	patience = 150 * time.Second
	every    = 500 * time.Millisecond
	after    = 10 * time.Second // longer than client-go is told to renew ahead of a minute's certificate: 6 s
)

// renewed is told by client-go when it closes its connections, because the plugin gave it another certificate.
type renewed chan struct{}

func (r renewed) Observe(time.Duration) { r <- struct{}{} }

func main() {
	kubeconfig, namespace, pod, mark := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	renewals := make(renewed, 8)
	metrics.Register(metrics.RegisterOpts{ClientCertRotationAge: renewals})
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	check(err)
	asked := &counter{}
	config.Wrap(asked.wrap)
	clients, err := kubernetes.NewForConfig(config)
	check(err)

	seen := inform(ctx, clients, namespace)
	check(seen.makeAndWait(ctx, mark+"-before"))
	shells := map[string]*shell{"websocket": nil, "spdy": nil}
	forwards := map[string]*forward{"websocket": nil, "spdy": nil}
	for way := range shells {
		shells[way] = openShell(ctx, config, clients, namespace, pod, way)
	}
	// a server that answers what it hears; 2328 is its port, in hexadecimal
	serve := "nc -ll -p 9000 -e cat 2>/dev/null & until grep -q ':2328 .* 0A ' /proc/net/tcp*; do sleep 0.1; done; echo serving"
	if said := shells["spdy"].ask(serve); said != "serving" {
		log.Fatalf("no server in the pod: %s", said)
	}
	for way := range forwards {
		forwards[way] = openForward(config, clients, namespace, pod, way)
	}
	told := map[string]any{"before": asked.take()}
	heard := map[string][]string{}
	for way := range shells {
		heard[way] = []string{shells[way].ask("echo shell before"), forwards[way].ask("forward before")}
	}

	failed := 0
	poll := func(until <-chan struct{}, end <-chan time.Time) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-until:
				return
			case <-end:
				return
			case <-ctx.Done():
				log.Fatal("no certificate was renewed")
			case <-tick.C:
				if _, err := clients.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{}); err != nil {
					failed++
				}
			}
		}
	}
	poll(renewals, nil)
	poll(nil, time.After(after))

	check(seen.makeAndWait(ctx, mark+"-after"))
	told["after"], told["failed"], told["renewals"] = asked.take(), failed, 1+len(renewals)
	for way := range shells {
		heard[way] = append(heard[way], shells[way].ask("echo shell after"), forwards[way].ask("forward after"))
		heard[way] = append(heard[way], forwards[way].askAnew("another connection"))
	}
	told["heard"] = heard
	check(json.NewEncoder(os.Stdout).Encode(told))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
