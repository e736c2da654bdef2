"""The reckoning at the end of a day at a provider: the mailboxes of the world against what was
posted. It knows of the copies only what stands there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from schemas.road import BounceRouted, MailStopped, MailUnrouted, WindowRecorded
from tests.e2e.provider_day import Day
from tests.e2e.provider_people import marks, read, text_of
from tests.peers.checker import check
from tests.peers.records import Record

WAITS = "until somebody decides"  # said of held mail, to those who can
ORIGINAL = b"X-Google-Original-From"  # Gmail's mark on a From it had to overwrite


async def audit(
    day: Day,
    letters: Mapping[str, Sequence[str]],
    *,
    stopped: Sequence[str],
    unrouted: int = 0,
    unknown: int = 0,
) -> None:
    """Every copy came once and unaltered, nobody was blamed or given up, nothing was posted back,
    each report on the dead found its mail. Of what Postroad wrote, everybody got their `letters`,
    by the first words of their Subjects, and owners besides what waits, once. These rules stopped
    mails; so many were for no list, and so many came to the bounce address about nothing that is
    known."""
    report = check(copies(day), day.posts)
    assert report.exact, report
    assert report.expected > 30
    assert not [d for box in day.provider.mailboxes.values() for d in box if ORIGINAL in d]
    for name, who in day.people.items():
        letters_got = who.letters
        others = [one for one in letters_got if WAITS not in " ".join(text_of(one).split())]
        assert len(letters_got) - len(others) <= 1, name
        got = [" ".join(letter["Subject"].split()[:2]) for letter in others]
        assert sorted(got) == sorted(letters.get(name, ())), name
    windows = await day.events("DELIVERY", "delivery.>")
    outcomes = [w.outcome for w in windows if isinstance(w, WindowRecorded) and w.outcome]
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    assert not [f for f in failures if f.scope == "recipient" or f.kind == "failed"], failures
    assert not [o for o in outcomes if o.possible_duplicate]
    assert not await day.events("DEADLETTER", "deadletter.>")
    assert not day.provider.violations()
    for where, members in day.members.items():
        told = await day.command("member", "ls", where.address, "--json")
        assert {member["address"] for member in told.json} == members
        assert {member["delivery_status"] for member in told.json} == {"enabled"}
    routed = await day.events("ROUTED", "mail.routed.>")
    bounces = [event.about for event in routed if isinstance(event, BounceRouted)]
    assert bounces.count("") == unknown
    assert len(bounces) == day.bounced + unknown
    rules = [event.hits[0].rule for event in routed if isinstance(event, MailStopped)]
    assert sorted(rules) == sorted(stopped), rules
    lost = [event.reason for event in routed if isinstance(event, MailUnrouted)]
    assert len(lost) == unrouted, lost
    await day.command("status")


def copies(day: Day) -> list[Record]:
    """What people's mailboxes hold of posts, as the checker reads it."""
    return [
        _record(data, address)
        for address, mails in day.provider.mailboxes.items()
        if not day.inbox.takes(address)
        for data in mails
        if read(data)["Auto-Submitted"] is None
    ]


def _record(data: bytes, address: str) -> Record:
    """A copy, known by its mark."""
    mail = read(data)
    (mark,) = marks(mail)
    return Record(
        time=0.0,
        connection=0,
        helo="",
        sender="",
        parameters="",
        recipients=(address,),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        body_sha256=hashlib.sha256(data.partition(b"\r\n\r\n")[2]).hexdigest(),
        message_id=mark,
        list_id=str(mail["List-Id"]).rpartition("<")[2].rstrip(">"),
        trace="",
        headers="",
    )
