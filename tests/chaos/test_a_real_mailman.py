"""A Mailman 3 from PyPI: what it answers today is read as the answers that are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.cli.mailman import sources
from postroad.cli.mailman.plan import plans

pytestmark = pytest.mark.chaos
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "mailman3"
# Mailman 3.3.10 does not say so, but fails with SQLAlchemy 2.1
PACKAGES = ("mailman==3.3.10", "sqlalchemy<2.1")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of an environment that has Mailman."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    found = tmp_path / "venv" / "bin" / "python"
    done = subprocess.run(
        [found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"Mailman cannot be installed: {done.stderr.strip()[-200:]}")
    return found


def told(answers: Path) -> list[dict[str, Any]]:
    """The plans for these answers, without what is different each time: dates."""
    found, unknown = sources.mailman3(answers)
    assert unknown == 0
    return [
        {
            "address": plan.address,
            "settings": plan.settings,
            "report": plan.report,
            "rows": [msgspec.structs.replace(row, since=None) for row in plan.rows],
            "losses": plan.losses,
        }
        for plan in plans(found)
    ]


@pytest.mark.timeout(600)
def test_its_answers_are_read(python: Path, tmp_path: Path) -> None:
    """Two lists of a Mailman that was installed now, saved by the script of the documents, are
    those that the other tests bring here."""
    (tmp_path / "home").mkdir()
    answers = tmp_path / "answers"
    with subprocess.Popen(
        [python, GOLDEN / "serve.py", tmp_path / "home"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as mailman:
        assert mailman.stdin is not None
        assert mailman.stdout is not None
        api = mailman.stdout.readline().strip()
        subprocess.run(
            ["sh", ROOT / "docs" / "examples" / "mailman3-export.sh", answers, api],
            env={**os.environ, "REST": "restadmin:restpass"},
            check=True,
        )
        mailman.stdin.close()
    assert told(answers) == told(GOLDEN / "answers")
