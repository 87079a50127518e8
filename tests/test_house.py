"""The house's own rules: import law, names, a test for each module, nothing of a machine or a registry in the tree."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("auth", "proxy", "recordings")
SKIPPED = {".git", ".venv", "__pycache__", "node_modules"}

OWED = frozenset(
    {
        "auth/errors.py",
        "auth/state/store.py",
        "proxy/cli/client/cached.py",
        "proxy/cli/client/problem.py",
        "proxy/cli/client/saved_login.py",
        "proxy/cli/client/sign_in.py",
        "proxy/cli/client/terminal.py",
        "proxy/cli/clusters.py",
        "proxy/cli/credential.py",
        "proxy/cli/kubeconfig.py",
        "proxy/cli/login.py",
        "proxy/cli/logout.py",
        "proxy/cli/status.py",
        "proxy/connection.py",
        "proxy/context.py",
        "proxy/filters/authentication.py",
        "proxy/filters/impersonation.py",
        "proxy/filters/request_info.py",
        "proxy/headers.py",
        "proxy/impersonation.py",
        "proxy/journey.py",
        "proxy/listeners.py",
        "proxy/metrics.py",
        "proxy/relay.py",
        "proxy/status.py",
        "proxy/web/deps.py",
        "proxy/web/errors.py",
        "proxy/web/pages.py",
        "proxy/web/requests.py",
        "recordings/audit/disk.py",
        "recordings/audit/recovery.py",
        "recordings/errors.py",
    }
)
"""Modules that have no test module of their own yet. It only ever gets shorter."""


def modules() -> list[Path]:
    found = [path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path for path in found if path.stem not in {"__init__", "__main__"})


def texts() -> list[Path]:
    """Every text file of the tree, as git knows it; of a tree without git, as it lies there."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
        paths = [ROOT / name for name in listed.decode().split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:1024]]


def test_the_import_law_holds():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_module_takes_the_name_of_one_of_pythons_own():
    taken = [str(path) for path in modules() if path.stem in sys.stdlib_module_names]
    assert taken == []


def test_no_module_is_named_after_whatever_is_left():
    leftovers = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "session", "service"}
    assert [str(path) for path in modules() if leftovers & set(path.stem.split("_"))] == []


def test_every_module_has_a_test_module_of_its_own():
    without = {str(path) for path in modules() if not (ROOT / "tests" / path.with_name(f"test_{path.name}")).exists()}
    assert without <= OWED, f"write tests for {', '.join(sorted(without - OWED))}"


def test_no_debt_is_listed_for_a_module_that_is_gone():
    assert {name for name in OWED if not (ROOT / name).exists()} == set()


def test_tests_are_no_packages():
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_nothing_of_a_machine_or_a_registry_is_in_the_tree():
    machine = ("work/", "root/", "home/[a-z]", "tmp/k" + "w")
    hosts = (r"pypi\.org", r"pythonhosted\.org", r"registry\.npmjs\.org", r"proxy\.golang\.org", r"repo1\.maven\.org")
    places = "|".join([*(f"(?<![A-Za-z0-9_.$}}-])/{place}" for place in machine), *hosts])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in texts()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if re.search(places, line)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "SECURITY.md", "CHANGELOG.md", "DECISIONS.md"])
def test_the_papers_are_there(name):
    assert (ROOT / name).stat().st_size > 0


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_security_policy_names_the_floors_that_the_project_asks_for():
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (\w+) \| ([\d.]+) \|", policy, re.MULTILINE):
        name, floor = row
        if name != "CPython":
            assert f'"{name.lower()}>={floor}"' in project
