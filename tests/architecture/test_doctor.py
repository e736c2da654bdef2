"""`postroad doctor`: every check is documented as the table of checks has it, and is tested."""

from __future__ import annotations

import re

from postroad.cli.doctor.checks import CHECKS, Check
from postroad.cli.doctor.judge.copy import RULES
from tests.architecture.documents import OPERATORS, ROOT, Document

GUIDE = Document(OPERATORS / "doctor.md")


def test_every_check_is_in_the_guide() -> None:
    """The operators' guide has each check with what it looks at and what helps, in order."""
    told = [tuple(row) for row in GUIDE.table("postroad doctor") if len(row) == len(Check._fields)]
    assert told == [
        (f"`{check.name}`", ", ".join(check.of), check.about, check.remedy) for check in CHECKS
    ]


def test_every_rule_for_a_copy_is_in_the_guide() -> None:
    """And each rule that a sample copy is held against."""
    told = [tuple(row) for row in GUIDE.table("A copy against the rules of large receivers")]
    assert told == [(f"`{rule.name}`", rule.about, rule.remedy) for rule in RULES]


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
