"""`postroad doctor`: every check is documented as the table of checks has it, and is tested."""

from __future__ import annotations

import re

from postroad.cli.doctor.checks import CHECKS
from tests.architecture.documents import OPERATORS, ROOT, Document


def test_every_check_is_in_the_guide() -> None:
    """The operators' guide has each check with what it looks at and what helps, in order."""
    told = [tuple(row) for row in Document(OPERATORS / "doctor.md").table("postroad doctor")]
    assert told == [
        (f"`{check.name}`", ", ".join(check.of), check.about, check.remedy) for check in CHECKS
    ]


def test_every_check_is_tested_where_it_fails() -> None:
    """Each check has tests of its own, among them one that expects it not to be ok."""
    texts = "".join(path.read_text() for path in ROOT.glob("tests/e2e/test_doctor_*.py"))
    tests = re.split(r"^(?=(?:async )?def test_|@pytest)", texts, flags=re.MULTILINE)
    for check in CHECKS:
        own = re.findall(rf"^(?:async )?def test_{check.name}_\w+", texts, flags=re.MULTILINE)
        assert own, check.name
        about = "".join(
            before + test
            for before, test in zip(["", *tests], tests, strict=False)
            if f"def test_{check.name}_" in test
        )
        assert '"failed"' in about or '"warning"' in about, check.name
