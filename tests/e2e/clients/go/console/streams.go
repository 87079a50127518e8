package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

const answered = 10 * time.Second

// shell is a process `sh` in the pod that stays open.
type shell struct {
	in    io.Writer
	lines chan string
}

func openShell(ctx context.Context, config *rest.Config, clients kubernetes.Interface, namespace, pod, way string) *shell {
	options := &corev1.PodExecOptions{Container: "main", Command: []string{"sh"}, Stdin: true, Stdout: true, Stderr: true}
	request := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("exec").VersionedParams(options, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	if way == "websocket" {
		executor, err = remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	}
	check(err)
	input, in := io.Pipe()
	out, output := io.Pipe()
	go func() {
		err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: input, Stdout: output, Stderr: io.Discard})
		_ = output.CloseWithError(fmt.Errorf("the shell ended: %w", err))
	}()
	return &shell{in, lines(out)}
}

func (s *shell) say(line string) {
	_, err := fmt.Fprintln(s.in, line)
	check(err)
}

// ask returns the next line that the shell writes, or why there is none.
func (s *shell) ask(line string) string {
	s.say(line)
	return next(s.lines)
}

// forward is a port of ours that leads to the pod's 9000, and one connection through it.
type forward struct {
	address string
	held    net.Conn
	lines   chan string
}

func openForward(config *rest.Config, clients kubernetes.Interface, namespace, pod, way string) *forward {
	url := clients.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	var dialer httpstream.Dialer
	var err error
	if way == "websocket" {
		dialer, err = portforward.NewSPDYOverWebsocketDialer(url, config)
	} else {
		transport, upgrader, problem := spdy.RoundTripperFor(config)
		check(problem)
		dialer, err = spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url), nil
	}
	check(err)
	ready := make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{"0:9000"}, nil, ready, io.Discard, io.Discard)
	check(err)
	go func() { check(forwarder.ForwardPorts()) }()
	<-ready
	ports, err := forwarder.GetPorts()
	check(err)
	one := &forward{address: fmt.Sprintf("127.0.0.1:%d", ports[0].Local)}
	one.held, err = net.Dial("tcp", one.address)
	check(err)
	one.lines = lines(one.held)
	return one
}

// ask returns what came back over the connection that was opened at the beginning.
func (f *forward) ask(line string) string { return ask(f.held, f.lines, line) }

func (f *forward) askAnew(line string) string {
	connection, err := net.Dial("tcp", f.address)
	check(err)
	defer connection.Close()
	return ask(connection, lines(connection), line)
}

func ask(connection net.Conn, answers chan string, line string) string {
	if _, err := fmt.Fprintln(connection, line); err != nil {
		return err.Error()
	}
	return next(answers)
}

// lines is what is read, and at last why nothing more is.
func lines(from io.Reader) chan string {
	found := make(chan string, 16)
	go func() {
		scanner := bufio.NewScanner(from)
		for scanner.Scan() {
			found <- scanner.Text()
		}
		found <- fmt.Sprintf("ended: %v", scanner.Err())
	}()
	return found
}

func next(lines chan string) string {
	select {
	case line := <-lines:
		return line
	case <-time.After(answered):
		return "no answer"
	}
}
