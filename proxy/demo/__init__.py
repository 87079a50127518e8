"""`kwit demo`: a cluster's API, an identity provider and kwit on loopback, and a person who works with them.

`folder` writes the configuration as an operator would, `world` runs what it describes, `engineer` does what a person
types, `story` says what that is and what must come of it, `evidence` what the log and the cluster must have seen,
`screen` how it looks, `performance` puts them in order.
"""
