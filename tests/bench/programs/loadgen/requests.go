package main

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmTime   = 400 * time.Millisecond // lets caches and upstream pools fill
	warmCount  = 3                      // and every connection has answered before the go-ahead
	bufferSize = 64 << 10
)

// worker is one connection's share of the result.
type worker struct {
	latencies []time.Duration
	bytes     int64
	errors    int64
	first     error
}

func (w *worker) note(begun time.Time, n int64, err error) {
	if err != nil {
		if w.errors++; w.first == nil {
			w.first = err
		}
		time.Sleep(5 * time.Millisecond) // a proxy that fails fast must not be hammered
		return
	}
	w.latencies = append(w.latencies, time.Since(begun))
	w.bytes += n
}

func requests(t *target, o options) (result, error) {
	open := make([]*connection, o.connections)
	asked := make([]names, o.connections)
	for i := range asked {
		asked[i] = newNames(t.request, i, o.first)
	}
	err := each(o.connections, func(i int) error {
		var err error
		if open[i], err = t.dial(bufferSize); err != nil {
			return err
		}
		until := time.Now().Add(warmTime)
		for n := 0; n < warmCount || time.Now().Before(until); n++ {
			if _, err := open[i].exchange(asked[i].next()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return result{}, err
	}
	return measure(o, func(i int, w *worker) {
		begun := time.Now()
		var n int64
		var err error
		if open[i] == nil {
			open[i], err = t.dial(bufferSize)
		}
		if err == nil {
			if n, err = open[i].exchange(asked[i].next()); err != nil {
				open[i].Close()
				open[i] = nil
			}
		}
		w.note(begun, n, err)
	})
}

func connects(t *target, o options) (result, error) {
	once := func() (int64, error) {
		c, err := t.dial(4 << 10)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return c.exchange(t.last)
	}
	err := each(o.connections, func(int) error {
		_, err := once()
		return err
	})
	if err != nil {
		return result{}, err
	}
	return measure(o, func(_ int, w *worker) {
		begun := time.Now()
		n, err := once()
		w.note(begun, n, err)
	})
}

// each runs f for every connection at once and returns one of the errors.
func each(count int, f func(int) error) error {
	failed := make(chan error, count)
	for i := range count {
		go func() { failed <- f(i) }()
	}
	var first error
	for range count {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// measure waits for the go-ahead, then has every worker repeat step until the time is over.
func measure(o options, step func(int, *worker)) (result, error) {
	workers := make([]worker, o.connections)
	if err := goAhead(); err != nil {
		return result{}, err
	}
	var over atomic.Bool
	time.AfterFunc(o.duration, func() { over.Store(true) })
	var group sync.WaitGroup
	begun := time.Now()
	for i := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for !over.Load() {
				step(i, &workers[i])
			}
		}()
	}
	group.Wait()
	return sum(workers, time.Since(begun)), nil
}
