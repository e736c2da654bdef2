"""The analytics of what a real sender wrote, against what `post show` tells and the sink has."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache

from postroad.cli.story import Fate
from postroad.cli.timeline import Teller
from postroad.runtime.broker import Broker
from postroad.runtime.stored import Stored
from projections.analytics import deliveries, routing, sending
from projections.instants import us
from projections.projection import Message
from schemas import codec
from schemas.road import ChunkQueued, WindowRecorded
from tests.unit.projections.analysis import Analysis

FOLDED = {
    "ROUTED": (routing.PROJECTION, "mail.routed.>"),
    "SEND": (sending.PROJECTION, "mail.send.>"),
    "DELIVERY": (deliveries.PROJECTION, "delivery.>"),
}
FINE = ("accepted", "departed")
Streams = dict[str, list[Stored]]


@cache
def _analysis() -> Analysis:
    return Analysis()


async def agree(broker: Broker, got: Callable[[], Collection[str]] | None = None) -> None:
    """Counts and last words are those of `post show`; whoever is said to have a copy is among those
    who `got` one, and the others of these may have one by the ledger. May be asked at any time."""
    streams: Streams = {}
    for name in ("ROUTED", "DELIVERY", "SEND"):  # what was tried was queued before
        streams[name] = [stored async for stored in broker.scan(name, FOLDED[name][1])]
    analysis = _folded(streams)
    fates, people = _shown(streams), _addresses(streams)
    counts = {(row["list"], row["mail"]): row for row in analysis.dicts("select * from counts")}
    assert counts.keys() >= fates.keys()
    for which, fate in fates.items():
        _compare(counts[which], fate)
    accepted = set()
    found = analysis.rows("select list, mail, person, outcome from recipients where person <> ''")
    for list_, mail, person, outcome in found:
        troubles = {trouble.person: trouble.kind for trouble in fates[list_, mail].troubles}
        assert troubles.get(person, "") == ("" if outcome in FINE else outcome), (person, outcome)
        if outcome == "accepted":
            accepted.add(people[mail, person])
    if got is not None:
        assert accepted <= set(got()), accepted - set(got())
        doubtful = analysis.rows("select mail, person from deliveries where doubtful")
        unsure = {people[mail, person] for mail, person in doubtful} | _open(streams)
        assert set(got()) - accepted <= unsure, set(got()) - accepted - unsure


def _folded(streams: Streams) -> Analysis:
    analysis = _analysis()
    analysis.clear()
    for name, (projection, _) in FOLDED.items():
        messages = [
            Message(stored.subject, stored.seq, us(stored.time), codec.decode(stored.data))
            for stored in streams[name]
        ]
        for start in range(0, len(messages), 100):
            analysis.fold(projection, messages[start : start + 100])
    return analysis


def _compare(row: dict[str, object], fate: Fate) -> None:
    names = ("audience", "accepted", "failed", "departed", "waiting", "doubtful", "windows")
    told = (fate.recipients, fate.accepted, fate.failed, fate.left, fate.waiting)
    wanted = (*told, fate.possible_duplicates, fate.windows)
    assert tuple(row[name] for name in names) == wanted, (names, row, fate)
    assert row["deferred"] == sum(each.kind == "deferred" for each in fate.troubles)


def _shown(streams: Streams) -> dict[tuple[str, str], Fate]:
    """What `post show` says of each post, by list and mail; without when it is tried again."""
    tellers: dict[str, Teller] = {}
    for name in ("ROUTED", "DELIVERY", "SEND"):
        for stored in streams[name]:
            for event in stored.envelope().events:
                if mail := getattr(event, "mail_id", ""):
                    tellers.setdefault(mail, Teller(mail, {})).take(stored.time, event)
    for stored in streams["SEND"]:
        for event in stored.envelope().events:
            if isinstance(event, ChunkQueued):
                tellers[event.mail_id].wait(event, "")
    for teller in tellers.values():
        teller.tell()
    return {
        (slug, mail): fate
        for mail, teller in tellers.items()
        for slug, fate in teller.fates.items()
    }


def _addresses(streams: Streams) -> dict[tuple[str, str], str]:
    """By mail and person."""
    return {
        (event.mail_id, person): address
        for stored in streams["SEND"]
        for event in stored.envelope().events
        if isinstance(event, ChunkQueued)
        for person, address in zip(event.people, event.addresses, strict=True)
    }


def _open(streams: Streams) -> set[str]:
    """Who may have a copy by a window that has no outcome yet, or by a chunk of one window."""
    last: dict[str, WindowRecorded] = {}
    for stored in streams["DELIVERY"]:
        for event in stored.envelope().events:
            if isinstance(event, WindowRecorded):
                last[stored.subject] = event
    found = set()
    for stored in streams["SEND"]:
        for event in stored.envelope().events:
            if not isinstance(event, ChunkQueued):
                continue
            entry = last.get(f"delivery.{event.list}.{event.mail_id}.{event.chunk}")
            if entry is None or not entry.finished:
                start = entry.intent.start if entry is not None and entry.intent else 0
                found |= set(event.addresses[start:])
    return found
