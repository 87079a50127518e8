import pytest

from auth.identity import Identity


def person(**changed):
    facts = {"connector": "corp", "issuer": "https://idp", "subject": "1", "username": "alice"}
    return Identity(**{**facts, **changed})


def test_the_same_person_under_another_name_has_the_same_key_and_uid():
    renamed = person(username="alice.b", groups=("eng",))
    assert (renamed.key, renamed.uid) == (person().key, person().uid)


@pytest.mark.parametrize("changed", [{"issuer": "https://other"}, {"subject": "2"}])
def test_equal_names_of_another_realm_are_another_person(changed):
    assert person(**changed).uid != person().uid


def test_no_claims_is_a_mapping_that_nobody_can_fill():
    with pytest.raises(TypeError):
        person().claims["x"] = 1
