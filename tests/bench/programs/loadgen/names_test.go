package main

import "testing"

func TestEachNameIsAskedForOnce(t *testing.T) {
	seen := map[string]bool{}
	for connection := range 3 {
		asked := newNames([]byte("GET /pods/p-0000000000 HTTP/1.1"), connection)
		for range 1200 {
			seen[string(asked.next())] = true
		}
	}
	if len(seen) != 3*1200 {
		t.Errorf("%d names instead of %d", len(seen), 3*1200)
	}
	if !seen["GET /pods/p-0020001200 HTTP/1.1"] {
		t.Error("the last name of the third connection is missing")
	}
}

func TestARequestWithoutAHoleStaysItself(t *testing.T) {
	if got := string(newNames([]byte("GET /pods/web-0 HTTP/1.1"), 1).next()); got != "GET /pods/web-0 HTTP/1.1" {
		t.Error(got)
	}
}
