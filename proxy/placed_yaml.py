"""`auth.placed_yaml` under the name by which `proxy.config` and `proxy.cluster_kubeconfig` know it, until they do not."""

from auth.placed_yaml import MAX_CHARACTERS, Place, PlacedYaml, YamlError, read_yaml

__all__ = ["MAX_CHARACTERS", "Place", "PlacedYaml", "YamlError", "read_yaml"]
