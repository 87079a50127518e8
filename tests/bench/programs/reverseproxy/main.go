// reverseproxy: what Go gives for nothing. httputil.ReverseProxy, mutual TLS on both sides, HTTP/1.1, no access log.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	address := flag.String("address", "", "host:port to listen on")
	upstream := flag.String("upstream", "", "https URL to forward to")
	certificate := flag.String("certificate", "", "PEM file shown to clients")
	key := flag.String("key", "", "its key")
	ourCertificate := flag.String("client-certificate", "", "PEM file shown to upstream")
	ourKey := flag.String("client-key", "", "its key")
	ca := flag.String("ca", "", "PEM file of the CA of clients and of upstream")
	flag.Parse()

	pem, err := os.ReadFile(*ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	ours, err := tls.LoadX509KeyPair(*ourCertificate, *ourKey)
	check(err)
	target, err := url.Parse(*upstream)
	check(err)

	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{ours}},
			MaxIdleConnsPerHost: 1024, // the default of 2 makes it dial again under load
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
	}
	server := &http.Server{
		Addr:              *address,
		Handler:           proxy,
		ReadHeaderTimeout: 15 * time.Second,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, as the others
		TLSConfig: &tls.Config{
			MinVersion:             tls.VersionTLS13,
			ClientAuth:             tls.RequireAndVerifyClientCert,
			ClientCAs:              pool,
			SessionTicketsDisabled: true,
		},
	}
	check(server.ListenAndServeTLS(*certificate, *key))
}

func check(err error) {
	if err != nil {
		log.Fatal("reverseproxy: ", err)
	}
}
