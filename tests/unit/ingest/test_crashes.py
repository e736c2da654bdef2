"""Crashes, renumbered folders, equal mails and late ones, in every order: each is published once.

A model of a folder, of RECEIVED and of the checkpoint is driven through the decider in the order
`intake` keeps (publish, flag, checkpoint) and killed after any of these writes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, Origin
from services.ingest.decider import (
    Checkpoint,
    Known,
    Selected,
    Verdict,
    advance,
    contact,
    holds,
    judge,
    lasting,
    missing,
    resolve,
    steps,
)
from services.ingest.syntax import Row

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


class Killed(Exception):
    """The process ended here."""


@dataclass
class Mail:
    uid: int
    text: bytes
    arrived: datetime
    seen: bool = False
    hidden: bool = False  # for now: another replica has it


@dataclass
class World:
    """A mailbox, RECEIVED and the KV bucket."""

    after: Literal["seen", "delete"]
    start: Any
    mails: list[Mail] = field(default_factory=list)
    uidvalidity: int = 1
    uidnext: int = 1
    received: dict[tuple[int, int], MailReceived] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    now: datetime = BEGIN
    met: bool = False
    left: int = 0
    owed: Counter[bytes] = field(default_factory=Counter)

    def arrive(self, text: bytes, seen: bool = False, hidden: bool = False) -> None:
        self.now += timedelta(minutes=1)
        self.mails.append(Mail(self.uidnext, text, self.now, seen, hidden))
        self.uidnext += 1
        if self.met or self.start == "all" or (self.start == "unseen" and not seen):
            self.owed[text] += 1

    def appear(self, number: int) -> None:
        hidden = [mail for mail in self.mails if mail.hidden]
        if hidden:
            hidden[number % len(hidden)].hidden = False

    def renumber(self) -> None:
        self.uidvalidity += 1
        self.mails = [
            replace(mail, uid=uid, hidden=False) for uid, mail in enumerate(self.mails, 1)
        ]
        self.uidnext = len(self.mails) + 1

    def published(self) -> Counter[bytes]:
        return Counter(bytes.fromhex(event.raw.sha256) for event in self.received.values())

    def session(self, writes: int) -> None:
        """What one run of ingest does, killed after so many writes."""
        self.left = writes
        self.now += timedelta(minutes=1)
        selected = Selected(folder="INBOX", uidvalidity=self.uidvalidity)
        checkpoint = self.checkpoint
        if checkpoint is None and self.mails:  # above all others it would be later mail
            self.mails[-1].hidden = False
        visible = [mail for mail in self.mails if not mail.hidden]
        if checkpoint is None or not holds(checkpoint, selected):
            there = [mail.uid for mail in visible]
            checkpoint = contact(checkpoint, selected, there, self.start, self.now)
            self.write()
            self.checkpoint = checkpoint
            self.met = True
        known = Known("INBOX", self.uidvalidity)
        known.learn(
            event
            for (uidvalidity, _), event in self.received.items()
            if checkpoint.rescan_below or uidvalidity == self.uidvalidity
        )
        rows = [
            Row(uid=mail.uid, size=len(mail.text), arrived=mail.arrived, seen=mail.seen)
            for mail in visible
            if mail.uid > checkpoint.uid or mail.uid in missing(checkpoint)
        ]
        verdicts = [judge(checkpoint, mail, known, largest=1000, now=self.now) for mail in rows]
        for step in steps(verdicts):
            self.take(step, known)
            self.write()
            checkpoint = advance(checkpoint, [verdict.row.uid for verdict in step])
            self.checkpoint = lasting(checkpoint) or self.checkpoint

    def take(self, step: list[Verdict], known: Known) -> None:
        by_uid = {mail.uid: mail for mail in self.mails}
        done = []
        for verdict in step:
            mail = by_uid[verdict.row.uid]
            action = resolve(verdict, mail.text, known, largest=1000).action
            if action == "take":
                self.write()
                self.receive(mail)
            if action in ("take", "finish"):
                done.append(mail)
        self.write()
        for mail in done:
            mail.seen = True
        if self.after == "delete":
            self.mails = [mail for mail in self.mails if mail not in done]

    def write(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def receive(self, mail: Mail) -> None:
        digest = hashlib.sha256(mail.text).hexdigest()
        key = (self.uidvalidity, mail.uid)
        assert key not in self.received, "published twice under one id"
        origin = Origin(
            source="s", folder="INBOX", uidvalidity=key[0], uid=key[1], arrived=mail.arrived
        )
        raw = RawRef(mail_id="m", chunks=1, size=len(mail.text), sha256=digest, head=0)
        self.received[key] = MailReceived(mail_id="m", origin=origin, raw=raw, facts=HeaderFacts())


equal_mails = st.sampled_from([b"one", b"two", b"three"])
events = st.one_of(
    st.tuples(st.just("arrive"), equal_mails, st.booleans(), st.booleans()),
    st.tuples(st.just("appear"), st.integers(0, 9)),
    st.tuples(st.just("session"), st.integers(0, 12)),
    st.tuples(st.just("renumber")),
)


@given(st.sampled_from(["now", "unseen", "all"]), st.lists(events, max_size=25))
def test_no_crash_loses_or_doubles_a_mail_that_stays(start: str, story: list[Any]) -> None:
    """With after = "seen", whatever arrives, crashes or is renumbered: in the end each mail owed
    is in RECEIVED exactly as often as it lies in the folder."""
    world = World("seen", start)
    play(world, story)
    assert world.published() == digests(world.owed)


@given(st.sampled_from(["now", "unseen", "all"]), st.lists(events, max_size=25))
def test_no_crash_loses_or_doubles_a_mail_that_is_deleted(start: str, story: list[Any]) -> None:
    """With after = "delete", each of different mails is in RECEIVED exactly once, and none of
    them stays in the folder."""
    world = World("delete", start)
    serial = count()
    play(world, [(e[0], b"%d" % next(serial), *e[2:]) if e[0] == "arrive" else e for e in story])
    assert world.published() == digests(world.owed)
    assert not {mail.text for mail in world.mails} & set(world.owed)


def play(world: World, story: list[Any]) -> None:
    """Let it happen, then let one session run to its end."""
    for what, *details in story:
        try:
            getattr(world, what)(*details)
        except Killed:
            continue
    for mail in world.mails:
        mail.hidden = False
    world.session(10_000)


def digests(texts: Counter[bytes]) -> Counter[bytes]:
    return Counter({hashlib.sha256(text).digest(): times for text, times in texts.items()})
