"""A Kubernetes API good enough for kubectl, which records whom the proxy said each request was for."""

from deploy.sandbox.apiserver.server import SandboxAPIServer, SeenRequest

__all__ = ["SandboxAPIServer", "SeenRequest"]
