import pytest
from pydantic import ValidationError

from proxy.config_audit import Audit, Durability


def test_writes_wait_for_the_disk_unless_everything_shall():
    assert Audit() == Audit(directory=None, durability=Durability.MUTATING, segment_bytes="256MiB", segment_age="1d")
    assert Audit(durability="strict").durability is Durability.STRICT
    with pytest.raises(ValidationError):
        Audit(durability="relaxed")


@pytest.mark.parametrize(("key", "value"), [("segment_bytes", "1KiB"), ("segment_age", "1s"), ("segment_age", "30d")])
def test_a_segment_is_neither_tiny_nor_endless(key, value):
    with pytest.raises(ValidationError):
        Audit(**{key: value})
