package main

import "testing"

func TestEachNameIsAskedForOnce(t *testing.T) {
	seen := map[string]bool{}
	for connection := range 3 {
		for round := range 2 {
			asked := newNames([]byte("GET /pods/p-0000000000 HTTP/1.1"), connection, round*100_000)
			for range 1200 {
				seen[string(asked.next())] = true
			}
		}
	}
	if len(seen) != 3*2*1200 {
		t.Errorf("%d names instead of %d", len(seen), 3*2*1200)
	}
	if !seen["GET /pods/p-0020101200 HTTP/1.1"] {
		t.Error("the last name of the third connection's second round is missing")
	}
}

func TestARequestWithoutAHoleStaysItself(t *testing.T) {
	if got := string(newNames([]byte("GET /pods/web-0 HTTP/1.1"), 1, 7).next()); got != "GET /pods/web-0 HTTP/1.1" {
		t.Error(got)
	}
}
