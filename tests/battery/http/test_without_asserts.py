"""Nothing that protects is an `assert`: an interpreter that strips them refuses the same. Security P5."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HARMLESS = {"isinstance", "len", "all", "any"}


def effects_in_asserts(source: str) -> list[int]:
    """Lines of asserts that call, await or assign: what they do would be gone with them."""
    return [
        statement.lineno
        for statement in ast.walk(ast.parse(source))
        if isinstance(statement, ast.Assert)
        for part in ast.walk(statement.test)
        if isinstance(part, ast.Await | ast.NamedExpr)
        or (isinstance(part, ast.Call) and not (isinstance(part.func, ast.Name) and part.func.id in HARMLESS))
    ]


def test_no_assert_does_anything():
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("auth", "proxy", "recordings", "deploy")
        for path in (ROOT / package).rglob("*.py")
        for line in effects_in_asserts(path.read_text())
    }
    assert found == set()


def test_without_them_the_same_is_refused():
    done = subprocess.run(
        [sys.executable, "-O", "-m", "tests.battery.http.without_asserts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, int(done.stdout or 0) > 100) == (0, True), done.stderr[-2000:]
