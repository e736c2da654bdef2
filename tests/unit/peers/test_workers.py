"""Specification: the tests by several workers at once (`tests/workers.py`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

FILES = {
    "test_one.py": """
        import os, pytest
        @pytest.fixture(scope="module")
        def owner():
            yield os.getpid()
            print("taken down")
        def test_a(owner): assert owner == os.getpid()
        def test_b(owner, tmp_path): assert owner == os.getpid()
        def test_wrong(): print("what it said"); assert 1 == 2
    """,
    "test_dies.py": """
        import os
        def test_before(): pass
        def test_killed(): os._exit(9)
        def test_after(): pass
    """,
    "test_late.py": """
        import pytest, threading
        @pytest.mark.timeout(0.1)
        def test_waits(): threading.Event().wait()
        def test_after(): pass
    """,
    "test_other.py": """
        import pytest
        @pytest.mark.parametrize("n", range(20))
        def test_n(n): pass
        def test_skipped(): pytest.skip("no reason")
    """,
}


def test_all_run_and_what_dies_fails(tmp_path: Path) -> None:
    """Each test runs once, those of a file in one process; a worker's death fails the test that it
    was at, and no other, and a test that takes longer than it may says where it was."""
    for name, text in FILES.items():
        lines = text.splitlines()[1:]
        (tmp_path / name).write_text("\n".join(line[8:] for line in lines) + "\n")
    words = [sys.executable, "-m", "pytest", "-p", "tests.workers", "--workers", "2", "-rA"]
    words += ["-c", os.devnull, f"--rootdir={tmp_path}", str(tmp_path)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "3 failed, 25 passed, 1 skipped" in ended.stdout
    for said in (
        "what it said",
        "a worker ended with 9",
        "test_dies.py::test_killed",
        "in test_waits",
    ):
        assert said in ended.stdout
    assert "test_dies.py::test_after" in ended.stdout
