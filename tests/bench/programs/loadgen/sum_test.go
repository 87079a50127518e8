package main

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	values := make([]time.Duration, 100)
	for i := range values {
		values[i] = time.Duration(i+1) * time.Microsecond
	}
	for percent, want := range map[int]float64{50: 50, 99: 99, 100: 100, 1: 1} {
		if got := quantile(values, percent); got != want {
			t.Errorf("quantile %d: %v instead of %v", percent, got, want)
		}
	}
	if got := quantile(values[:1], 50); got != 1 {
		t.Errorf("of one value: %v", got)
	}
	if got := quantile(nil, 50); got != 0 {
		t.Errorf("of none: %v", got)
	}
}

func TestSumCountsErrorsApartFromOperations(t *testing.T) {
	us := time.Microsecond
	workers := []worker{{latencies: []time.Duration{3 * us, us}, bytes: 10}, {errors: 2, first: errors.New("gone")}}
	want := result{Operations: 2, Errors: 2, FirstError: "gone", Seconds: 2, Bytes: 10, P50: 1, P99: 3}
	if got := sum(workers, 2*time.Second); got != want {
		t.Errorf("%+v", got)
	}
}

func TestAnswersAreReadToTheirEndInBothFramings(t *testing.T) {
	stream := "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n" +
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
	c := &connection{reader: bufio.NewReader(strings.NewReader(stream))}
	for _, want := range []int64{3, 12} {
		if n, err := c.answer(200); n != want || err != nil {
			t.Fatalf("%d, %v instead of %d", n, err, want)
		}
	}
	if _, err := c.answer(200); err == nil || err.Error() != "status 403 instead of 200" {
		t.Fatalf("%v", err)
	}
	c.reader.Reset(strings.NewReader("HTTP/1.1 200 OK\r\n\r\n"))
	if _, err := c.answer(200); err == nil {
		t.Fatal("an answer without a length passed")
	}
}
