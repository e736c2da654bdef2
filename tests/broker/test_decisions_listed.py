"""`postroad post ls`: each row says whose mail it is, and what came of it."""

from __future__ import annotations

import pytest

from postroad.cli.decisions import decided
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.envelope import Event
from schemas.mail import HeaderFacts, Mailbox, RawRef
from schemas.road import (
    CommandDone,
    CommandRouted,
    MailReceived,
    MailStopped,
    Origin,
    PostRouted,
    RuleHit,
)

pytestmark = pytest.mark.broker
TEAM = "team-example-org"
ADDRESSES = {TEAM: "team@example.org"}
ANN = HeaderFacts(from_=(Mailbox(address="ann@example.net"),))


def raw(mail: str) -> RawRef:
    """Bytes that nobody reads here."""
    return RawRef(mail_id=mail, chunks=1, size=1, sha256="", head=0)


async def store(broker: Broker, subject: str, event: Event) -> None:
    """Store an event."""
    await broker.publish(subject, codec.encode(envelope([event], correlation="c")), expect=0)


async def receive(broker: Broker, number: int) -> str:
    """Store a mail of Ann's; returns its id."""
    mail = f"{number:032x}"
    event = MailReceived(mail_id=mail, origin=Origin(source="imap"), raw=raw(mail), facts=ANN)
    await store(broker, subjects.received("imap", mail), event)
    return mail


async def command(broker: Broker, number: int, word: str) -> str:
    """Store a command of Ann's; returns its id."""
    mail = await receive(broker, number)
    event = CommandRouted(mail_id=mail, list=TEAM, command=word, raw=raw(mail))
    await store(broker, f"mail.routed.command.{TEAM}.{mail}", event)
    return mail


async def test_commands_show_what_came_of_them(broker: Broker) -> None:
    """A command is shown with its outcome and why, and with who sent it; one that is not done
    yet says so."""
    joined, refused = await command(broker, 1, "join"), await command(broker, 2, "leave")
    await command(broker, 3, "help")
    done = CommandDone(mail_id=joined, list=TEAM, command="join", outcome="confirmation_sent")
    await store(broker, f"mail.routed.done.{TEAM}.{joined}", done)
    done = CommandDone(
        mail_id=refused, list=TEAM, command="leave", outcome="refused", reason="token used"
    )
    await store(broker, f"mail.routed.done.{TEAM}.{refused}", done)
    rows = await decided(broker, "*", "*", 20, ADDRESSES)
    assert [row.told for row in rows] == [
        "help: not done yet",
        "leave: refused (token used)",
        "join: confirmation sent",
    ]
    assert [(row.outcome, row.detail) for row in rows] == [
        ("", ""),
        ("refused", "token used"),
        ("confirmation_sent", ""),
    ]
    assert {(row.author, row.list) for row in rows} == {("ann@example.net", "team@example.org")}


async def test_held_mail_names_its_author(broker: Broker) -> None:
    """What is held is shown with whose mail it is; where the mail is no longer known, without."""
    mail = await receive(broker, 1)
    unknown = f"{2:032x}"
    for held in (mail, unknown):
        hits = (RuleHit(rule="nonmember", reason="no member"),)
        event = MailStopped(mail_id=held, list=TEAM, verdict="held", hits=hits, raw=raw(held))
        await store(broker, f"mail.routed.held.{TEAM}.{held}", event)
    posted = PostRouted(mail_id=mail, list=TEAM, raw=raw(mail))
    await store(broker, f"mail.routed.post.{TEAM}.{mail}", posted)
    rows = await decided(broker, "held", TEAM, 20, ADDRESSES)
    assert [(row.id, row.author) for row in rows] == [(unknown, ""), (mail, "ann@example.net")]
    assert rows[0].told == "nonmember: no member"
