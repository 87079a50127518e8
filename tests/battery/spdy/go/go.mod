module kubewitness.dev/battery/spdy/go

go 1.26.0

require github.com/moby/spdystream v0.5.1
