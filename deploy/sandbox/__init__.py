"""A Kubernetes API and an identity provider on loopback, for `kwit demo` and the tests. Not for anything else."""
