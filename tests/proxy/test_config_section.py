import pytest
from pydantic import ValidationError

from proxy.config_section import Section


class Part(Section):
    limit: int = 3


def test_an_unknown_key_is_a_mistake_and_its_value_is_not_repeated():
    with pytest.raises(ValidationError) as refused:
        Part.model_validate({"limits": "hidden-value"})
    assert "limits" in str(refused.value)
    assert "hidden-value" not in str(refused.value)


def test_a_value_never_changes():
    with pytest.raises(ValidationError):
        Part().limit = 4
