module kubewitness.dev/bench

go 1.24
