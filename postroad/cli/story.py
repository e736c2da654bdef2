"""The story of one mail, as `postroad post show` tells it and prints with --json: data only."""

from __future__ import annotations

from datetime import datetime

import msgspec

from postroad.cli.durations import Durations
from schemas.envelope import Event


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One step: when, and in plain words what."""

    at: datetime
    what: str


class Trouble(msgspec.Struct, kw_only=True):
    """Somebody who has no copy: the last reply of the relay. `kind` is deferred (it is tried
    again, at `next` where that is known) or failed; `why` says it in plain words. `address` is
    empty where its chunk is gone, and they were erased or membership does not answer. `doubtful`:
    after so many tries they may have it all the same."""

    person: str
    kind: str
    code: int
    enhanced: str = ""
    text: str = ""
    why: str = ""
    scope: str = ""
    relay: str = ""
    at: datetime
    address: str = ""
    next: datetime | None = None
    doubtful: int = 0


class Wait(msgspec.Struct, kw_only=True):
    """So many copies wait, all for the same; `next` is when the first of them is tried again,
    where that is known."""

    copies: int
    why: str
    next: datetime | None = None


class Returned(msgspec.Struct, kw_only=True):
    """A copy that came back: the id of the bounce, and whose copy it was, where that is known."""

    mail: str
    at: datetime
    number: int = -1
    person: str = ""
    address: str = ""


class Fate(msgspec.Struct, kw_only=True):
    """What became of the mail on one list. Counts are recipients: `left` were no longer on the
    list when their copy was due, `waiting` have no outcome yet or are tried again,
    `possible_duplicates` may have got a copy before, after a crash: of those who have none for
    certain (`troubles`, `doubtful`) that is one, of all others a second. `outcome` is that of
    a command, `notices` are the ids of what was written in answer. Of mail that was held `verdict`
    is what became of it (accepted, rejected, discarded, expired), `decided_by` who said so, as
    events name them. Of a post, by id, `parent` is what it answers there, `thread` the first of its
    conversation, `answers` are those that came before it, `namesake` is an earlier one with its
    Message-ID. `took` is how long its copies did."""

    list: str
    kind: str
    reasons: tuple[str, ...] = ()
    recipients: int = 0
    chunks: int = 0
    accepted: int = 0
    failed: int = 0
    left: int = 0
    waiting: int = 0
    possible_duplicates: int = 0
    windows: int = 0
    troubles: tuple[Trouble, ...] = ()
    waits: tuple[Wait, ...] = ()
    bounces: tuple[Returned, ...] = ()
    outcome: str = ""
    verdict: str = ""
    decided_by: str = ""
    notices: tuple[str, ...] = ()
    parent: str = ""
    thread: str = ""
    answers: tuple[str, ...] = ()
    namesake: str = ""
    took: Durations | None = None


class Story(msgspec.Struct, kw_only=True):
    """One mail, as `postroad post show` tells it."""

    id: str
    message_id: str = ""
    subject: str = ""
    author: str = ""
    received: datetime | None = None
    source: str = ""
    size: int = 0
    lists: tuple[Fate, ...] = ()
    timeline: tuple[Line, ...] = ()

    def name_by(self, event: Event) -> None:
        """Take subject and Message-ID from a decision: the mail itself may be deleted."""
        if getattr(event, "mail_id", "") == self.id:
            self.subject = self.subject or getattr(event, "subject", "")
            self.message_id = self.message_id or getattr(event, "message_id", "")
