package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	dialLimit     = 15 * time.Second // 1,000 handshakes at once on a busy core take a few seconds
	exchangeLimit = 30 * time.Second // a proxy that stops answering must not stop the benchmark
)

// target is where requests go and the bytes of one.
type target struct {
	address   string
	path      string
	config    *tls.Config
	request   []byte // keeps the connection
	last      []byte // asks for its end
	suiteUsed atomic.Uint32
}

func newTarget(address, path, certificate, key, ca string) (*target, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	ours, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	head := "GET " + path + " HTTP/1.1\r\nHost: " + address +
		"\r\nUser-Agent: kubectl/v1.36.0 (linux/amd64) kubernetes/0000000\r\nAccept: application/json\r\n"
	return &target{
		address: address,
		path:    path,
		config: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "localhost",
			Certificates: []tls.Certificate{ours}, NextProtos: []string{"http/1.1"},
		},
		request: []byte(head + "\r\n"),
		last:    []byte(head + "Connection: close\r\n\r\n"),
	}, nil
}

func (t *target) cipher() string { return tls.CipherSuiteName(uint16(t.suiteUsed.Load())) }

type connection struct {
	net.Conn
	reader *bufio.Reader
}

func (t *target) dial(bufferBytes int) (*connection, error) {
	plain, err := net.DialTimeout("tcp", t.address, dialLimit)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(plain, t.config)
	secure.SetDeadline(time.Now().Add(dialLimit))
	if err := secure.Handshake(); err != nil {
		plain.Close()
		return nil, err
	}
	secure.SetDeadline(time.Time{})
	t.suiteUsed.Store(uint32(secure.ConnectionState().CipherSuite))
	return &connection{secure, bufio.NewReaderSize(secure, bufferBytes)}, nil
}

// exchange sends one request and reads its answer to the end; it returns the size of the body.
func (c *connection) exchange(request []byte) (int64, error) {
	c.SetDeadline(time.Now().Add(exchangeLimit))
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	return c.answer(200)
}

func (c *connection) answer(wanted int) (int64, error) {
	status, length, err := c.head()
	if err != nil {
		return 0, err
	}
	if status != wanted {
		return 0, fmt.Errorf("status %d instead of %d", status, wanted)
	}
	if length >= 0 {
		n, err := c.reader.Discard(int(length))
		return int64(n), err
	}
	var total int64
	for {
		n, err := c.chunk()
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// head reads a status line and headers. A length of -1 means chunks.
func (c *connection) head() (status int, length int64, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("no HTTP/1.1 status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -2
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if len(line) <= 2 {
			break
		}
		if line[0]|0x20 != 'c' && line[0]|0x20 != 't' { // spares the rest the copy
			continue
		}
		name, value, _ := strings.Cut(strings.ToLower(string(line)), ":")
		switch value = strings.TrimSpace(value); name {
		case "content-length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return 0, 0, err
			}
		case "transfer-encoding":
			length = -1
		}
	}
	if length == -2 {
		return 0, 0, fmt.Errorf("status %d without a length", status)
	}
	return status, length, nil
}

// chunk reads one chunk and returns its size; zero is the last.
func (c *connection) chunk() (int64, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 64)
	if err != nil {
		return 0, err
	}
	_, err = c.reader.Discard(int(size) + 2)
	return size, err
}
