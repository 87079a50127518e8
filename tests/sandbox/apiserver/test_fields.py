"""The table of fields is whole: every type is there, no number twice, and what is said of a field is understood."""

from __future__ import annotations

from deploy.sandbox.apiserver.fields import LEAVES, Field, messages
from deploy.sandbox.apiserver.kinds import CUSTOM_RESOURCE_DEFINITION, KINDS, REVIEWS


def test_every_type_that_is_named_is_there() -> None:
    named = {field.type for message in messages().values() for field in message.fields.values()}
    assert named <= messages().keys() | LEAVES
    kinds = {kind.kind for kind in (*KINDS, *REVIEWS) if kind is not CUSTOM_RESOURCE_DEFINITION}
    assert kinds | {"Scale", "Eviction", "DeleteOptions"} <= messages().keys()


def test_an_entry_is_read_word_by_word() -> None:
    container, pod = messages()["Container"], messages()["PodSpec"]
    assert container.fields["ports"] == Field(
        6, "ContainerPort", "[]", merged=True, merge_key="containerPort", keys=("containerPort", "protocol")
    )
    assert pod.fields["volumes"] == Field(1, "Volume", "[]", merged=True, merge_key="name", retain=True, keys=("name",))
    assert pod.fields["nodeSelector"] == Field(7, "string", "{}", atomic=True)
    assert messages()["ObjectMeta"].fields["finalizers"] == Field(14, "string", "[]", merged=True, is_set=True)
    assert messages()["LabelSelector"].atomic


def test_what_is_inlined_stands_in_its_owner() -> None:
    volume = messages()["Volume"]
    assert {"name", "configMap", "emptyDir"} <= volume.fields.keys()
    assert [key for key, _ in volume.wire.values()] == ["name", "+volumeSource"]
    assert not any(key.startswith("+") for key in volume.fields)
