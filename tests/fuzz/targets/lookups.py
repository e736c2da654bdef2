"""Answers of name servers and spam filters: a policy and points that we know, or none."""

from __future__ import annotations

from postroad.mail.dmarc import MOST, read, standing, strictest, walk
from postroad.mail.spamscore import MOST as POINTS
from postroad.mail.spamscore import Score
from postroad.mail.spamscore import read as read_score
from services.router.lookups.spamd import parse
from tests.fuzz.taking import PART, text

DOMAINS = ("a.b.example.org", "example.org", "org")


def one_input(data: bytes) -> None:
    """TXT records, which are also a field of a spam filter, and an answer of spamd."""
    records = [read([text(part)]) for part in data.split(PART)]
    found = dict(zip(DOMAINS, records, strict=False))
    for exists in (True, False):
        what = standing(DOMAINS[0], found, exists=exists)
        assert what.policy in ("none", "quarantine", "reject")
        assert strictest(["none", what.policy]) == what.policy
        assert DOMAINS[0].endswith(what.organisation)
    asked = walk(text(data[:300]))
    assert 1 <= len(asked) <= MOST

    sensible(read_score(text(data)))
    try:
        sensible(parse(data))
    except ValueError:
        return


def sensible(score: Score | None) -> None:
    """Points can be compared, and names shown."""
    if score is None:
        return
    assert score.points is None or -POINTS <= score.points <= POINTS
    assert all(each.isprintable() for each in score.tests)
