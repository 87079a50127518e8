from recordings.audit.policy.level import Level, Stage


def test_the_words_are_kubernetes():
    assert list(Level) == ["None", "Metadata", "Request", "RequestResponse"]
    assert list(Stage) == ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
    assert [level.rank for level in Level] == [0, 1, 2, 3]
