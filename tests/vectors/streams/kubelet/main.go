// A pod's exec, attach and port-forward without a cluster: the API server's own handlers in front of the kubelet's own,
// over plain HTTP, so that what kubectl says to them can be written down. The "container" is a local process.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/proxy"
	translator "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	utilexec "k8s.io/utils/exec"
)

const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"default","uid":"u"},
"spec":{"containers":[{"name":"c","image":"i","stdin":true,"tty":false}]},"status":{"phase":"Running"}}`

// What kubectl asks before it asks for the pod.
var documents = map[string]string{
	"/api":                              `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis":                             `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
	"/api/v1":                           `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get"]}]}`,
	"/api/v1/namespaces/default/pods/p": pod,
}

type container struct{}

func (container) ExecInContainer(ctx context.Context, _, _, _ string, cmd []string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if tty {
		size := <-resize
		fmt.Fprintf(out, "%dx%d\r\n", size.Width, size.Height)
	}
	process := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	process.Stdout, process.Stderr = out, errOut
	if in != nil {
		stdin, err := process.StdinPipe()
		if err != nil {
			return err
		}
		go func() { defer stdin.Close(); io.Copy(stdin, in) }()
	}
	if err := process.Run(); err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			return &utilexec.ExitErrorWrapper{ExitError: exit}
		}
		return err
	}
	return nil
}

func (c container) AttachContainer(ctx context.Context, name, uid, part string, in io.Reader, out, errOut io.WriteCloser,
	tty bool, resize <-chan remotecommand.TerminalSize) error {
	return c.ExecInContainer(ctx, name, uid, part, []string{"cat"}, in, out, errOut, tty, resize, 0)
}

func (container) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	if port == 1 {
		return fmt.Errorf("nothing listens on port %d", port)
	}
	question := make([]byte, 4)
	if _, err := io.ReadFull(stream, question); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stream, "port %d heard %q\n", port, question)
	return err
}

func kubelet(w http.ResponseWriter, r *http.Request) {
	const idle, creation = time.Minute, 10 * time.Second
	switch {
	case strings.HasSuffix(r.URL.Path, "/portforward"):
		options, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, container{}, "p", "u", options, idle, creation, portforward.SupportedProtocols)
	default:
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/attach") {
			remotecommand.ServeAttach(w, r, container{}, "p", "u", "c", options, idle, creation, remotecommand.SupportedStreamingProtocols)
			return
		}
		remotecommand.ServeExec(w, r, container{}, "p", "u", "c", r.URL.Query()["command"], options, idle, creation,
			remotecommand.SupportedStreamingProtocols)
	}
}

type responder struct{}

func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// apiserver answers as the pod's subresources do: it translates v5 and the tunnel, and passes everything else on.
func apiserver(backend *url.URL) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if document, ok := documents[r.URL.Path]; ok {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, document)
			return
		}
		if r.Header.Get("Upgrade") == "" {
			http.NotFound(w, r)
			return
		}
		location := *backend
		location.Path, location.RawQuery = r.URL.Path, kubeletQuery(r.URL.Query())
		var handler http.Handler = proxy.NewUpgradeAwareHandler(&location, http.DefaultTransport, false, true, responder{})
		if strings.HasSuffix(r.URL.Path, "/portforward") {
			handler = translator.NewTranslatingHandler(handler, translator.NewTunnelingHandler(handler),
				wsstream.IsWebSocketRequestWithTunnelingProtocol)
		} else {
			query := r.URL.Query()
			options := translator.Options{Stdin: query.Get("stdin") == "true", Stdout: query.Get("stdout") == "true",
				Stderr: query.Get("stderr") == "true", Tty: query.Get("tty") == "true"}
			streams := translator.NewStreamTranslatorHandler(&location, http.DefaultTransport, 0, options)
			handler = translator.NewTranslatingHandler(handler, streams, wsstream.IsWebSocketRequestWithStreamCloseProtocol)
		}
		handler.ServeHTTP(w, r)
	}
}

// kubeletQuery writes what a client asks of the API server as the API server asks it of a kubelet.
func kubeletQuery(query url.Values) string {
	out := url.Values{"command": query["command"]}
	for from, to := range map[string]string{"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"} {
		if query.Get(from) == "true" {
			out.Set(to, "1")
		}
	}
	for _, port := range query["ports"] {
		out.Add("port", port)
	}
	return out.Encode()
}

func main() {
	backend := httptest.NewServer(http.HandlerFunc(kubelet))
	location, err := url.Parse(backend.URL)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }() // ends with whoever started it
	panic(http.Serve(listener, apiserver(location)))
}
