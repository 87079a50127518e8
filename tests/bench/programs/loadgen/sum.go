package main

import (
	"slices"
	"time"
)

func sum(workers []worker, took time.Duration) result {
	r := result{Seconds: took.Seconds()}
	var all []time.Duration
	for i := range workers {
		w := &workers[i]
		all = append(all, w.latencies...)
		r.Bytes += w.bytes
		r.Errors += w.errors
		if w.first != nil && r.FirstError == "" {
			r.FirstError = w.first.Error()
		}
	}
	r.Operations = int64(len(all))
	slices.Sort(all)
	r.P50, r.P99 = quantile(all, 50), quantile(all, 99)
	return r
}

// quantile is the nearest rank of sorted values, in microseconds; zero where there are none.
func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return float64(sorted[max(rank, 1)-1]) / float64(time.Microsecond)
}
