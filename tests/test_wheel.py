"""Claims about the wheel: one directory, and `kwit` works from anywhere without anybody seeing our package names."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OUR_NAMES = ("auth", "proxy", "recordings", "deploy")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    (built,) = folder.glob("*.whl")
    return built


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=dict(os.environ) | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_has_one_package_and_its_metadata_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    assert roots == {"kubewitness", next(root for root in roots if root.endswith(".dist-info"))}
    inside = {name.split("/")[1] for name in names if name.startswith("kubewitness/")}
    assert inside == {"__init__.py", *OUR_NAMES}
    assert [name for name in names if "test" in name or name.endswith(".pyc")] == []


def test_an_installation_runs_from_any_folder_and_hides_our_packages(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    bin_folder = place / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(bin_folder / "python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python]
    run([*pip, "install", "--no-deps", "--no-index", "--no-compile", str(wheel)], tmp_path)
    # Our dependencies from the environment that runs this test; its own editable link to us is not followed there.
    dependencies = {"PYTHONPATH": sysconfig.get_path("purelib")}
    assert run([str(bin_folder / "kwit"), "--version"], tmp_path, **dependencies).startswith("kwit ")
    assert "For engineers" in run([str(bin_folder / "kwit"), "--help"], tmp_path, **dependencies)
    script = f"import importlib.util as u; print([n for n in {OUR_NAMES} if u.find_spec(n)])"
    assert run([python, "-c", script], tmp_path, **dependencies) == "[]\n"


def test_an_editable_installation_finds_both_the_checkout_and_the_way_in(tmp_path: Path) -> None:
    script = "import hatchling.build, sys; print(hatchling.build.build_editable(sys.argv[1]))"
    built = tmp_path / run([sys.executable, "-c", script, str(tmp_path)], ROOT).splitlines()[-1]
    archive = zipfile.ZipFile(built)
    (link,) = [name for name in archive.namelist() if name.endswith(".pth")]
    assert archive.read(link).decode().split() == [str(ROOT), str(ROOT / "deploy" / "wheel")]
