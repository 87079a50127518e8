from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import proxy.version
from proxy.version import version


def test_it_is_the_installed_distributions():
    assert version() == installed("kubewitness")


def test_a_checkout_that_is_not_installed_says_so(monkeypatch):
    def missing(_name):
        raise PackageNotFoundError

    monkeypatch.setattr(proxy.version, "installed", missing)
    assert version() == "0+checkout"
