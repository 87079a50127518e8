"""Kubernetes' audit policy (`audit.k8s.io/v1`): which level of detail a request is recorded at, exported and shown."""
