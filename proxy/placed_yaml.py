"""`auth.placed_yaml` as `proxy.config` and `proxy.cluster_kubeconfig` still call it."""

from auth.placed_yaml import MAX_CHARACTERS, Place, PlacedYaml, YamlError, read_yaml

__all__ = ["MAX_CHARACTERS", "Place", "PlacedYaml", "YamlError", "read_yaml"]
