"""What may go, and why the rest stays. Pure.

Each question is about one mail, or one mail at one list, and all that the streams hold of it. What
is younger than its age, or not surely finished, stays, with one word that says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from schemas import subjects
from schemas.marks import Ends, before
from schemas.road import WindowRecorded

Kept = Literal[
    "",  # it may go
    "young",  # not all of it has the age
    "undecided",  # the router is not done with it
    "held",  # it waits for a verdict
    "underway",  # a fan-out, an answer or a count is not finished
    "sending",  # copies, or a letter, are on their way
    "scheduled",  # copies are tried again later
    "parked",  # a message of it is in DEADLETTER
    "unknown",  # the projector does not know it to be finished
]
FINISHED = "done"  # what the projector calls a mail that is
_ENDS_BY_DONE = ("post", "owner", "command")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One message of ROUTED, by its subject."""

    kind: str
    list: str
    mail: str
    seq: int

    @classmethod
    def of(cls, subject: str, seq: int) -> Decision:
        """That of a subject `mail.routed.<kind>.<list>.<mail>`."""
        _, _, kind, list_, mail = subject.split(".")
        return cls(kind=kind, list=list_, mail=mail, seq=seq)


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What the streams hold of the copies of one mail at one list, or of a letter.

    `seqs` are the last sequences of it, by stream. `chunks` of it are in SEND; `open` are those
    whose ledger is not finished, or that may owe a retry which nobody has scheduled yet, `silent`
    those without a ledger. `routed` says that there is a post or a mail to owners, `fanned_out`
    that every copy of it is queued. `finished` is what the projector says.
    """

    seqs: Mapping[str, int]
    chunks: int
    open: int = 0
    silent: int = 0
    scheduled: bool = False
    routed: bool = False
    fanned_out: bool = False
    parked: bool = False
    finished: bool = False


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What the streams hold of one mail, but for its copies: of those whether there are any.

    `received` is that RECEIVED has it, `refused` that it was left on its server, `acked` that the
    router is done with it. `state` is what the projector calls it, empty for nothing.
    """

    seqs: Mapping[str, int]
    received: bool = False
    refused: bool = False
    acked: bool = True
    decisions: Sequence[Decision] = ()
    queued: bool = False
    parked: bool = False
    state: str = ""


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which sequence each durable consumer is done with its stream."""

    acked: Mapping[str, int]

    def passed(self, stream: str, subject: str, seq: int) -> bool:
        """Whether everybody who takes this message is done with it."""
        return all(
            seq <= self.acked.get(durable.name, 0)
            for durable in subjects.DURABLES
            if durable.stream == stream and _takes(durable.filters, subject)
        )


def is_open(last: WindowRecorded, *, acked: bool) -> bool:
    """Whether a chunk is still at work by the last entry of its ledger. Once it is acknowledged,
    what it owes is in SEND."""
    return not last.finished or ((last.split or bool(last.deferred)) and not acked)


def judge_sending(found: Sending, old: Ends, quiet: Ends | None) -> Kept:
    """Whether the chunks of it may go. `old` is the horizon of their age, `quiet` one behind which
    nobody is at work any more: there the ledger, which has an age of its own, may be gone."""
    still = before(quiet, found.seqs)
    if found.parked:
        return "parked"
    if found.scheduled:
        return "scheduled"
    if found.routed and not found.fanned_out:
        return "underway"
    if found.open or (found.silent and not (found.finished or still)):
        return "sending"
    if not before(old, found.seqs):
        return "young"
    return "" if found.finished or still else "unknown"


def judge_mail(found: Mail, old: Ends, quiet: Ends | None, floors: Floors) -> Kept:
    """Whether a mail and its bytes may go; `old` and `quiet` as in `judge_sending`."""
    if found.parked:
        return "parked"
    if not found.acked:
        return "undecided"
    if waits := _waits(found.decisions, floors):
        return waits
    if found.queued:
        return "sending"
    still = before(quiet, found.seqs)
    if found.received and not (found.refused or found.decisions or still):
        return "undecided"
    if not before(old, found.seqs):
        return "young"
    if found.state == FINISHED:
        return ""
    # bytes that nothing tells of may be of a mail that is just being taken, again
    told = found.received or found.decisions or "DELIVERY" in found.seqs
    return "" if still and told else "unknown"


def _waits(decisions: Iterable[Decision], floors: Floors) -> Literal["", "held", "underway"]:
    """Whether something is still to follow one of these decisions."""
    last: dict[tuple[str, str], Decision] = {}
    done: dict[tuple[str, str], int] = {}
    for each in sorted(decisions, key=lambda decision: decision.seq):
        where = each.list, each.mail
        if each.kind == "done":
            done[where] = each.seq
        else:
            last[where] = each
        subject = f"mail.routed.{each.kind}.{each.list}.{each.mail}"
        if not floors.passed("ROUTED", subject, each.seq):
            return "underway"
    for where, each in last.items():
        if each.kind in ("held", "accepted"):
            return "held" if each.kind == "held" else "underway"
        if each.kind in _ENDS_BY_DONE and where not in done:
            return "underway"
    return ""


def _takes(filters: Iterable[str], subject: str) -> bool:
    return any(fnmatchcase(subject, each.replace(">", "*")) for each in filters)
