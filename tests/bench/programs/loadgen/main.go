// loadgen: load for an HTTPS proxy, as cheap as Go makes it: HTTP/1.1 written and read by hand over crypto/tls.
//
// It opens its connections and warms them, prints "ready", waits for a line on its input, works, and prints one line
// of JSON, then waits for the end of its input: whoever started it reads the proxy's counters at "ready" and at the
// JSON, and nothing else lies between.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"
)

// result is about what happened between the go-ahead and the end. Times are microseconds.
type result struct {
	Operations int64   `json:"operations"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"first_error"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	Cipher     string  `json:"cipher"`
}

type options struct {
	connections int
	duration    time.Duration
	bytes       int64
	first       int
}

var modes = map[string]func(*target, options) (result, error){
	"requests": requests, // each connection sends its next request when the last one is answered
	"connects": connects, // a new connection for each request
	"watches":  watches,  // held open; an event is an operation
	"upload":   upload,   // one POST with a large body
}

func main() {
	mode := flag.String("mode", "requests", "requests, connects, watches or upload")
	address := flag.String("address", "", "host:port of the proxy")
	path := flag.String("path", "/", "path and query")
	certificate := flag.String("certificate", "", "client certificate, PEM file")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "PEM file of the CA of the proxy's certificate")
	connections := flag.Int("connections", 1, "at once")
	duration := flag.Duration("duration", time.Second, "of the measured part")
	size := flag.Int64("bytes", 0, "body of an upload")
	first := flag.Int("first", 0, "number of the first new name, where the path has room for one")
	flag.Parse()

	run, ok := modes[*mode]
	if !ok {
		log.Fatalf("loadgen: no mode %q", *mode)
	}
	where, err := newTarget(*address, *path, *certificate, *key, *ca)
	if err != nil {
		log.Fatal("loadgen: ", err)
	}
	answer, err := run(where, options{*connections, *duration, *size, *first})
	if err != nil {
		log.Fatal("loadgen: ", err)
	}
	answer.Cipher = where.cipher()
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal("loadgen: ", err)
	}
	io.Copy(io.Discard, os.Stdin) // connections stay as they are until whoever started us has read the counters
}

var errNoGoAhead = errors.New("the input ended before the go-ahead")

// goAhead says "ready" and returns when told to begin.
func goAhead() error {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return errNoGoAhead
	}
	return nil
}
