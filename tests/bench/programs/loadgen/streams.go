package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	settleTime    = time.Second // what opening 1,000 streams still owes is not the streams' cost
	openingAtOnce = 16          // handshakes under way: more measures queues, not memory
	uploadPiece   = 256 << 10   // one write
)

// watches holds o.connections streams: all have brought their first event before the go-ahead, and they stay open
// until the process ends, so that their memory can be read.
func watches(t *target, o options) (result, error) {
	var events, failed atomic.Int64
	var firstError atomic.Value
	slots := make(chan struct{}, openingAtOnce)
	err := each(o.connections, func(int) error {
		slots <- struct{}{}
		defer func() { <-slots }()
		c, err := t.dial(4 << 10)
		if err != nil {
			return err
		}
		if err := c.beginWatch(t.request); err != nil {
			return err
		}
		go func() { // reads from now on: an event that waits for a reader would be counted in the wrong second
			err := c.eachChunk(func() { events.Add(1) })
			failed.Add(1)
			firstError.CompareAndSwap(nil, err.Error())
		}()
		return nil
	})
	if err != nil {
		return result{}, err
	}
	time.Sleep(settleTime)
	if err := goAhead(); err != nil {
		return result{}, err
	}
	before, begun := events.Load(), time.Now()
	time.Sleep(o.duration)
	r := result{Operations: events.Load() - before, Errors: failed.Load(), Seconds: time.Since(begun).Seconds()}
	r.FirstError, _ = firstError.Load().(string)
	return r, nil
}

func (c *connection) beginWatch(request []byte) error {
	c.SetDeadline(time.Now().Add(exchangeLimit))
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, length, err := c.head()
	if err != nil {
		return err
	}
	if status != 200 || length != -1 {
		return fmt.Errorf("a watch was answered with status %d and length %d", status, length)
	}
	_, err = c.chunk()
	c.SetDeadline(time.Time{})
	return err
}

// eachChunk reads for ever and returns why it could not.
func (c *connection) eachChunk(act func()) error {
	for {
		n, err := c.chunk()
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("a watch ended by itself")
		}
		act()
	}
}

// upload is one POST of o.bytes; it counts as one operation whose latency is its duration.
func upload(t *target, o options) (result, error) {
	c, err := t.dial(4 << 10)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	if err := goAhead(); err != nil {
		return result{}, err
	}
	begun := time.Now()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		t.path, t.address, o.bytes); err != nil {
		return result{}, err
	}
	piece := make([]byte, uploadPiece)
	for left := o.bytes; left > 0; {
		n, err := c.Write(piece[:min(left, uploadPiece)])
		if err != nil {
			return result{}, fmt.Errorf("with %d bytes left: %w", left, err)
		}
		left -= int64(n)
	}
	c.SetDeadline(time.Now().Add(exchangeLimit))
	if _, err := c.answer(201); err != nil {
		return result{}, err
	}
	took := time.Since(begun)
	us := float64(took) / float64(time.Microsecond)
	return result{Operations: 1, Seconds: took.Seconds(), Bytes: o.bytes, P50: us, P99: us}, nil
}
