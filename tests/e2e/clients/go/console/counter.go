package main

import (
	"net/http"
	"strings"
	"sync"
)

// counter counts what the informers ask, and every answer that says 401.
type counter struct {
	mu    sync.Mutex
	since counts
}

type counts struct {
	Whole        int `json:"whole"`        // lists, and watches that begin with one
	Watches      int `json:"watches"`      // watches that go on where another ended
	Unauthorized int `json:"unauthorized"` // answers of any request
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (c *counter) wrap(inner http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		c.count(func(counts *counts) {
			query := request.URL.Query()
			switch {
			case request.Method != http.MethodGet || strings.Contains(request.URL.Path, "/pods/"):
			case query.Get("watch") == "true" && query.Get("sendInitialEvents") != "true":
				counts.Watches++
			default:
				counts.Whole++
			}
		})
		response, err := inner.RoundTrip(request)
		if err == nil && response.StatusCode == http.StatusUnauthorized {
			c.count(func(counts *counts) { counts.Unauthorized++ })
		}
		return response, err
	})
}

func (c *counter) count(change func(*counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.since)
}

// take returns what was counted since it was called last.
func (c *counter) take() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.since
	c.since = counts{}
	return taken
}
