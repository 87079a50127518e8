from proxy.finding import Finding, Level, fail, ok, warn


def test_each_level_has_its_word():
    assert [ok("s", "m"), warn("s", "m", "f"), fail("s", "m", "f")] == [
        Finding(Level.OK, "s", "m", ""),
        Finding(Level.WARN, "s", "m", "f"),
        Finding(Level.FAIL, "s", "m", "f"),
    ]
