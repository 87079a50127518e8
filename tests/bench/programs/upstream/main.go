// upstream: a stand-in for an API server that costs as little as it can, so that proxies are what is measured.
//
//	GET  …/pods/NAME            one pod, 1 KB
//	GET  …/namespaces/N/pods    a list of 200 KB, with its length
//	GET  /api/v1/pods           a list of 2 MB, with its length
//	GET  /api/v1/pods?limit=…   the same in chunks of one pod, as an API server that streams a list writes it
//	GET  …?watch=…              one event at once, then one each -period
//	POST anything               reads the body to its end; answers with its length
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const listHead = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1000"},"items":[`

type bodies struct {
	pod, list200k, list2m []byte
	period                time.Duration
}

func main() {
	address := flag.String("address", "", "host:port to listen on")
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "PEM file of the CA whose client certificates are required")
	period := flag.Duration("period", 2*time.Second, "between two events of a watch")
	flag.Parse()

	pem, err := os.ReadFile(*ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	pod := onePod()
	server := &http.Server{
		Addr:         *address,
		Handler:      &bodies{pod, list(pod, 200_000), list(pod, 2_000_000), *period},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS13,
			ClientAuth: tls.RequireAndVerifyClientCert,
			ClientCAs:  pool,
		},
	}
	check(server.ListenAndServeTLS(*certificate, *key))
}

func (b *bodies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache, private")
	query := r.URL.RawQuery
	switch {
	case r.Method == http.MethodPost:
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client left; there is nobody to answer
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Success","message":"%d"}`, n)
	case strings.Contains(query, "watch="):
		b.watch(w, r)
	case !strings.HasSuffix(r.URL.Path, "/pods"):
		whole(w, b.pod)
	case strings.Contains(r.URL.Path, "/namespaces/"):
		whole(w, b.list200k)
	case strings.Contains(query, "limit="):
		inChunks(w, b.pod, len(b.list2m)/len(b.pod))
	default:
		whole(w, b.list2m)
	}
}

func (b *bodies) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Accel-Buffering", "no") // nginx holds streams back unless it is told; the others ignore this
	controller := http.NewResponseController(w)
	event := append(append([]byte(`{"type":"MODIFIED","object":`), b.pod...), '}', '\n')
	ticker := time.NewTicker(b.period)
	defer ticker.Stop()
	for {
		if _, err := w.Write(event); err != nil {
			return
		}
		if controller.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

func whole(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func inChunks(w http.ResponseWriter, pod []byte, count int) {
	io.WriteString(w, listHead)
	for i := range count {
		if i > 0 {
			io.WriteString(w, ",")
		}
		if _, err := w.Write(pod); err != nil {
			return
		}
	}
	io.WriteString(w, "]}")
}

// onePod is 1,024 bytes, of which the padding is an annotation.
func onePod() []byte {
	form := `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-0","namespace":"default","uid":"5d6f7c1e-0000-4000-8000-000000000000",` +
		`"resourceVersion":"1000","annotations":{"note":"%s"}},"spec":{"nodeName":"node-1","containers":[{"name":"web","image":"registry.example/web:1"}]},` +
		`"status":{"phase":"Running","podIP":"10.0.0.7"}}`
	return fmt.Appendf(nil, form, strings.Repeat("x", 1024-len(form)+len("%s")))
}

func list(pod []byte, size int) []byte {
	items := bytes.Repeat(append(bytes.Clone(pod), ','), size/(len(pod)+1))
	return append(append([]byte(listHead), items[:len(items)-1]...), ']', '}')
}

func check(err error) {
	if err != nil {
		log.Fatal("upstream: ", err)
	}
}
