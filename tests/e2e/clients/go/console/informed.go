package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// informed is what informers of three kinds keep in step.
type informed struct {
	clients   kubernetes.Interface
	namespace string
	added     chan string
}

func inform(ctx context.Context, clients kubernetes.Interface, namespace string) *informed {
	seen := &informed{clients, namespace, make(chan string, 16)}
	factory := informers.NewSharedInformerFactoryWithOptions(clients, 0, informers.WithNamespace(namespace))
	factory.Core().V1().Pods().Informer()
	factory.Apps().V1().Deployments().Informer()
	_, err := factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { seen.added <- object.(*corev1.ConfigMap).Name },
	})
	check(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return seen
}

// makeAndWait makes a config map and waits until the informer tells of it.
func (i *informed) makeAndWait(ctx context.Context, name string) error {
	maps := i.clients.CoreV1().ConfigMaps(i.namespace)
	if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	for {
		select {
		case one := <-i.added:
			if one == name {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
