"""Bytes in, bytes out: listeners, the journey of a request, the upstream pool, the command line.

`proxy.journey` is the order of things, readable top to bottom. `proxy.app` is the only place that makes the objects.
What is written down about a request lives in `recordings`; who and whether lives in `auth`.
"""
