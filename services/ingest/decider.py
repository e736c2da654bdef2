"""What to do with each mail of a folder. Pure.

The rules that matter:

- a UID is handled once; the checkpoint passes it only after the mail is published *and* flagged,
  so whatever a crash leaves half done lies above the checkpoint and is met again
- the checkpoint passes mails, not promises: UIDNEXT is not believed, and a UID under which there
  was no mail is remembered, for servers of many replicas show UID 4 before 2 and 3
- first contact takes what `start` says: mail from now on, unread mail as well, or everything
- a new UIDVALIDITY (RFC 3501 section 2.3.1.1) makes every UID meaningless: the whole folder is
  read again, and what RECEIVED holds, what is too old to be news, and what first contact passed
  over is not published
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.envelope import Event
from schemas.road import MailReceived, MailRefused, Origin
from services.ingest.syntax import Row, ranges

STALE = timedelta(days=25)  # by default; older mail RECEIVED, kept for 30 days, may have forgotten
RANGE_MAILS = 50  # small mails fetched at once: 9,900/s against 3,700/s one by one (Dovecot, 4 KB)
FIRST_MAILS = 8  # of those that have just come: so the road is at work early
RANGE_OCTETS = 2 << 20  # aioimaplib holds an answer whole
LARGE = 1 << 20  # a mail above this is fetched alone, in parts
FETCH_TRIES = 10  # of one mail alone, over about five minutes
WINDOW = 1_000  # UIDs below the checkpoint under which a mail may still turn up

Start = Literal["now", "unseen", "all"]
Refusal = Literal["too_large", "stale", "unreadable"]


class Selected(msgspec.Struct, frozen=True, kw_only=True):
    """A folder as SELECT described it."""

    folder: str
    uidvalidity: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a source stands; kept in KV as JSON. Every UID up to `uid` is handled but for the
    ranges in `missing` (first and last), among the last WINDOW: there was no mail under them.

    `since` is when we first met the folder and `start` what was taken then. Below
    `unseen_below` lies what was there then; below `rescan_below` each mail is compared with
    RECEIVED, because UIDVALIDITY changed.
    """

    folder: str
    uidvalidity: int
    uid: int = 0
    missing: tuple[tuple[int, int], ...] = ()
    start: Start = "now"
    since: datetime
    unseen_below: int = 0
    rescan_below: int = 0


def holds(last: Checkpoint, selected: Selected) -> bool:
    """Whether a checkpoint says where to go on in this folder."""
    return last.folder == selected.folder and last.uidvalidity == selected.uidvalidity


def contact(
    last: Checkpoint | None,
    selected: Selected,
    there: Collection[int],
    start: Start,
    now: datetime,
) -> Checkpoint:
    """Where to begin in a folder of which no checkpoint `holds`; `there` are the UIDs in it.

    It must be stored before any mail is looked at, or "now" would be a later now after a crash.
    """
    place = Checkpoint(
        folder=selected.folder, uidvalidity=selected.uidvalidity, start=start, since=now
    )
    replace = msgspec.structs.replace
    above = max(there, default=0) + 1  # not UIDNEXT: too high a one would hide what comes later
    if last is None or last.folder != selected.folder:
        match start:
            case "now":
                return replace(advance(place, there), unseen_below=above)
            case "unseen":
                return replace(place, unseen_below=above)
            case "all":
                return place
    below = above if last.start == "now" else 0
    return replace(
        place, start=last.start, since=last.since, unseen_below=below, rescan_below=above
    )


def advance(checkpoint: Checkpoint, uids: Collection[int]) -> Checkpoint:
    """The checkpoint once the mails under `uids` are handled too."""
    last = max(uids, default=0)
    uid = max(checkpoint.uid, last)
    absent = missing(checkpoint)
    absent.update(range(max(checkpoint.uid, uid - WINDOW) + 1, uid))
    absent.difference_update(uids)
    kept = ranges(each for each in absent if each > uid - WINDOW)
    return msgspec.structs.replace(checkpoint, uid=uid, missing=tuple(kept))


def missing(checkpoint: Checkpoint) -> set[int]:
    """The UIDs it passed under which there was no mail, but may be yet."""
    return {uid for first, last in checkpoint.missing for uid in range(first, last + 1)}


def lasting(checkpoint: Checkpoint) -> Checkpoint | None:
    """What to store of a checkpoint; None in the middle of a rescan: which of two equal mails
    RECEIVED accounts for can only be told by counting from the beginning."""
    if checkpoint.uid + 1 < checkpoint.rescan_below:
        return None
    return msgspec.structs.replace(checkpoint, rescan_below=0)


class Known:
    """What RECEIVED holds of one folder.

    Mail of the present UIDVALIDITY is known by its UID, mail of an earlier one by its bytes, and
    among equal mails by its arrival. Each message in RECEIVED accounts for one mail in the
    folder, so two equal mails of which one was received leave one to take.
    """

    def __init__(self, folder: str, uidvalidity: int) -> None:
        self.folder = folder
        self.uidvalidity = uidvalidity
        self.received: set[int] = set()
        self.refused: set[int] = set()
        self.sizes: set[int] = set()
        self.moments: set[tuple[int, datetime | None]] = set()  # size and arrival
        self._arrivals: defaultdict[str, list[datetime | None]] = defaultdict(list)

    def learn(self, events: Iterable[Event]) -> None:
        """Take in the events of one message of RECEIVED."""
        for event in events:
            match event:
                case MailReceived(origin=Origin() as origin, raw=raw) if self._here(origin):
                    if origin.uidvalidity == self.uidvalidity:
                        self.received.add(origin.uid)
                    else:
                        self.sizes.add(raw.size)
                        self.moments.add((raw.size, origin.arrived))
                        self._arrivals[raw.sha256].append(origin.arrived)
                case MailRefused(origin=Origin() as origin) if self._here(origin):
                    if origin.uidvalidity == self.uidvalidity:
                        self.refused.add(origin.uid)

    def _here(self, origin: Origin) -> bool:
        return origin.folder == self.folder

    def claim(self, sha256: str, arrived: datetime | None, *, exactly: bool = False) -> bool:
        """Whether a mail with these bytes was received under an earlier UIDVALIDITY and is not
        claimed yet. A server may have renewed the dates when it renumbered the folder, so the
        arrival counts only where there is a choice, or with `exactly`."""
        arrivals = self._arrivals[sha256]
        if arrived in arrivals:
            arrivals.remove(arrived)
            return True
        if exactly or not arrivals:
            return False
        arrivals.pop()
        return True


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to do with one mail.

    `take`    fetch and publish it, then flag, move or delete it
    `compare` fetch it; flag it where RECEIVED knows its bytes, else publish it, or refuse it
              where a `reason` is given
    `spot`    fetch it; flag it where RECEIVED knows its bytes and arrival, else leave it
    `finish`  it is published: flag, move or delete it
    `refuse`  record why, and leave it as it is
    `skip`    leave it as it is
    """

    row: Row
    action: Literal["take", "compare", "spot", "finish", "refuse", "skip"]
    reason: Refusal | None = None

    @property
    def fetched(self) -> bool:
        """Whether its bytes are needed."""
        return self.action in ("take", "compare", "spot")


def judge(
    checkpoint: Checkpoint,
    row: Row,
    known: Known,
    *,
    largest: int,
    now: datetime,
    stale_after: timedelta = STALE,
    failures: int = 0,
) -> Verdict:
    """What to do with a mail that was not looked at yet. `largest` is in octets; `failures` tells
    how often the connection broke, or the server gave nothing, while the mail was fetched."""
    if row.uid in known.received:
        return Verdict(row=row, action="finish")
    if row.uid in known.refused or row.deleted:
        return Verdict(row=row, action="skip")
    if row.uid < checkpoint.unseen_below and (
        _passed_over(checkpoint, row) or (checkpoint.start == "unseen" and row.seen)
    ):
        return Verdict(row=row, action="skip")
    rescan = row.uid < checkpoint.rescan_below
    if rescan and _passed_over(checkpoint, row):
        # with "unseen", mail taken at first contact is read by now, and looks just the same
        taken = checkpoint.start == "unseen" and (row.size, row.arrived) in known.moments
        return Verdict(row=row, action="spot" if taken else "skip")
    stale = rescan and row.arrived is not None and row.arrived < now - stale_after
    if row.size > largest:
        return Verdict(row=row, action="refuse", reason="stale" if stale else "too_large")
    if failures >= FETCH_TRIES:
        return Verdict(row=row, action="refuse", reason="unreadable")
    if rescan and row.size in known.sizes:
        return Verdict(row=row, action="compare", reason="stale" if stale else None)
    if stale:
        return Verdict(row=row, action="refuse", reason="stale")
    return Verdict(row=row, action="take")


def resolve(verdict: Verdict, data: bytes | None, known: Known, *, largest: int) -> Verdict:
    """The verdict once the bytes are there (None: the mail is gone): take, finish, refuse or
    skip. Claims are counted, so call it in order of UID."""
    row = verdict.row
    if not verdict.fetched:
        return verdict
    if data is None:
        return Verdict(row=row, action="skip")
    exactly = verdict.action == "spot"
    if verdict.action != "take":
        digest = hashlib.sha256(data).hexdigest()
        if known.claim(digest, row.arrived, exactly=exactly):
            return Verdict(row=row, action="finish")
    if exactly:
        return Verdict(row=row, action="skip")
    if verdict.reason:
        return Verdict(row=row, action="refuse", reason=verdict.reason)
    if len(data) > largest:  # the size the server listed was wrong
        return Verdict(row=row, action="refuse", reason="too_large")
    return Verdict(row=row, action="take")


def _passed_over(checkpoint: Checkpoint, row: Row) -> bool:
    """Whether first contact left this mail alone, under whatever UID it had then."""
    if row.arrived is None or row.arrived >= checkpoint.since:
        return False
    return checkpoint.start == "now" or (checkpoint.start == "unseen" and row.seen)


def pause(attempt: int, jitter: float, *, lasting: bool = False) -> float:
    """Seconds to wait before connecting again after `attempt` (1, 2, ...) failures in a row:
    1/4, 1, 4, 16, then 60, of which `jitter` (0 to 1) takes away up to a half. What only a person
    can mend is tried once a minute."""
    seconds = 60.0 if lasting else min(60.0, 0.25 * 4.0 ** min(attempt - 1, 10))
    return seconds * (1 - jitter / 2)


def steps(verdicts: Sequence[Verdict], most: int = RANGE_MAILS) -> Iterator[list[Verdict]]:
    """Cut verdicts, in order of UID, into what is fetched, published and flagged together: at
    most RANGE_MAILS fetched mails of RANGE_OCTETS in all, or one large mail alone. The first has
    `most` mails, each after it twice as many."""
    step: list[Verdict] = []
    mails = octets = 0
    for verdict in verdicts:
        size = verdict.row.size if verdict.fetched else 0
        full = mails + verdict.fetched > most or octets + size > RANGE_OCTETS
        if step and (size > LARGE or full):
            yield step
            step, mails, octets = [], 0, 0
            most = min(2 * most, RANGE_MAILS)
        step.append(verdict)
        mails += verdict.fetched
        octets += size
        if size > LARGE:
            yield step
            step, mails, octets = [], 0, 0
    if step:
        yield step
