"""Whom a file of people puts back, of those who left."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from postroad.runtime.clock import new_id
from projections.roster import Standing
from schemas.envelope import Envelope
from schemas.membership import MemberSubscribed, MemberUnsubscribed
from services.membership.departures import (
    Departure,
    is_undone,
    last_departure,
    only_once,
    stays_away,
)

LEFT = datetime(2026, 5, 1, tzinfo=UTC)
SELF = "person:ann"


@pytest.mark.parametrize(
    ("actor", "left_by", "how", "words"),
    [
        (SELF, "mail", "import", "left themselves, 2026-05-01"),
        (SELF, "mail", "sync", "left themselves"),
        ("membership", "bounces", "Mailman 3", "removed by Postroad (bounces)"),
        ("membership", "bounces", "sync", "removed by Postroad"),
        ("person:own", "mail, accepted by the owners", "import", "removed by an owner"),
        ("operator:jo", "command line", "import", "removed by jo at the command line, 2026-05-01"),
        ("operator:jo", "sync", "import", "removed by jo at the command line (sync)"),
        ("operator:jo", "sync", "sync", ""),
    ],
)
def test_who_stays_away(actor: str, left_by: str, how: str, words: str):
    """Nobody who left is put back; but a sync puts back whom a sync, or an operator, took off."""
    why = stays_away(Departure(LEFT, actor, left_by), "ann", how=how, since=None)
    assert why.startswith(words)
    assert bool(why) == bool(words)


def test_who_came_after_they_had_left_here_is_taken():
    """A file that dates them later than their leaving knows better."""
    left = Departure(LEFT, SELF, "mail")
    after, before = LEFT.replace(month=6), LEFT.replace(month=4)
    assert not stays_away(left, "ann", how="Mailman 3", since=after)
    assert stays_away(left, "ann", how="Mailman 3", since=before)


def test_the_last_departure_from_a_role_counts():
    """Of several the last, and of other roles none."""

    def said(day: int, *events: MemberSubscribed | MemberUnsubscribed) -> Envelope:
        at = LEFT.replace(day=day)
        return Envelope(id=new_id(), ts=at, correlation="", causation="", actor=SELF, events=events)

    history = [
        said(1, MemberSubscribed()),
        said(2, MemberUnsubscribed(how="mail")),
        said(3, MemberSubscribed(), MemberSubscribed(role="owner")),
        said(4, MemberUnsubscribed(how="sync")),
        said(5, MemberUnsubscribed(role="owner")),
    ]
    assert last_departure(history, "member") == Departure(LEFT.replace(day=4), SELF, "sync")
    assert last_departure(history[:1], "member") is None
    assert last_departure(history[:3], "owner") is None
    undone = said(6, MemberUnsubscribed(how="undo"))
    assert is_undone(undone)
    assert not is_undone(history[3])
    assert last_departure([*history, undone], "member") == last_departure(history, "member")


def test_who_lost_a_role_once_lost_it_to_the_last_event():
    """Periods that follow each other without the role going are one; a gap is a loss."""
    member, owner = Standing(roles=frozenset({"member"})), Standing(roles=frozenset({"owner"}))

    def at(standing: Standing, seq: int) -> Standing:
        return msgspec.structs.replace(standing, from_seq=seq)

    assert only_once([(at(member, 1), 5)], "member")
    assert only_once([(at(member, 1), 3), (at(member, 3), 5)], "member")
    assert not only_once([(at(member, 1), 3), (at(member, 4), 5)], "member")
    assert not only_once([(at(member, 1), 3), (at(owner, 3), 4), (at(member, 4), 5)], "member")
    assert only_once([(at(member, 1), 3), (at(owner, 3), None)], "member")
