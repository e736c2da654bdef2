"""Authors hear what became of a post that did not go out, if it is certain that they wrote it."""

from __future__ import annotations

import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id
from postroad.runtime.settings import Source
from schemas import codec, subjects
from schemas.mail import HeaderFacts, Mailbox
from schemas.road import ChunkQueued, MailReceived, MailStopped, Origin, RuleHit
from tests.broker.membership import SLUG, Membership, membership, raw, settings
from tests.peers.process import until

AUTHOR = "ada@example.org"
PROOF = "mx.our.example; dkim=pass header.d=example.org"


@dataclass
class Road:
    """A running membership service, fed by the test in the place of ingest and router."""

    service: Membership
    broker: Broker
    last: int = 0

    async def stop(
        self,
        *rules: str,
        verdict: Literal["held", "rejected"] = "held",
        author: str = AUTHOR,
        proof: str = PROOF,
        source: str = "box",
        number: str = "",
        ago: timedelta = timedelta(),
        mail_id: str = "",
        **facts: Any,
    ) -> str:
        """A mail came in and was stopped by these rules; its id."""
        new, mail_id = not mail_id, mail_id or new_id()
        mail = MailReceived(
            mail_id=mail_id,
            origin=Origin(source=source),
            raw=raw(mail_id),
            facts=HeaderFacts(
                message_id=f"{mail_id}@example.org",
                from_=(Mailbox(address=author),),
                subject="Minutes",
                auth_results=(proof,),
                **facts,
            ),
        )
        if new:
            await self._store(subjects.received(source, mail_id), mail)
        stopped = MailStopped(
            mail_id=mail_id + number,
            list=SLUG,
            verdict=verdict,
            hits=tuple(RuleHit(rule=rule, reason="it is so") for rule in rules),
            raw=mail.raw,
            subject="Minutes",
        )
        subject = subjects.routed(verdict, SLUG, mail_id + number)
        self.last = await self._store(subject, stopped, ago)
        return mail_id

    async def _store(
        self, subject: str, event: MailReceived | MailStopped, ago: timedelta = timedelta()
    ) -> int:
        message = envelope([event], correlation=event.mail_id, actor="test")
        message = msgspec.structs.replace(message, ts=message.ts - ago)
        return await self.broker.publish(subject, codec.encode(message), expect=0)

    async def letters(self) -> list[EmailMessage]:
        """Every letter, once the service has dealt with all that was stopped."""

        async def dealt_with() -> bool:
            return await self._floor() >= self.last

        await until(dealt_with)
        found: list[EmailMessage] = []
        async for stored in self.broker.scan("SEND", "mail.send.>"):
            (chunk,) = stored.envelope().events
            assert isinstance(chunk, ChunkQueued)
            data = await get_raw(self.broker, chunk.copy.raw)
            mail = email.message_from_bytes(data, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            assert chunk.addresses == (mail["To"],)
            found.append(mail)
        return found

    async def _floor(self) -> int:
        info = await self.broker.api(f"CONSUMER.INFO.ROUTED.{subjects.ANSWERS.name}")
        return int(info["ack_floor"]["stream_seq"])


@pytest.fixture
async def road(broker: Broker, tmp_path: Path) -> AsyncIterator[Road]:
    """A service with one list, a source whose server tells who wrote a mail, and one that not."""
    config = settings(tmp_path)
    box = Source(name="box", host="imap.example", user="us", authserv_id="mx.our.example")
    other = Source(name="other", host="imap.example", user="us")
    config = msgspec.structs.replace(config, source=(box, other))
    async with membership(broker, config) as service:
        await service.create()
        yield Road(service, broker)


@pytest.mark.parametrize(
    ("verdict", "rule", "says"),
    [
        ("held", "member-moderation", "It waits for the people who run the list"),
        ("held", "nonmember-moderation", "if they let it through, it goes to everybody"),
        ("rejected", "member-moderation", "The list does not take such mail from you"),
        ("rejected", "nonmember-moderation", "Only those on the list may write to it"),
        ("held", "max-size", "It waits for the people who run the list. If they let it through"),
        ("held", "max-size", "The reason: it is so"),
        ("rejected", "no-subject", "The reason: it is so"),
        ("held", "administrivia", "To leave, write to"),
    ],
)
async def test_what_became_of_a_post(
    road: Road, verdict: Literal["held", "rejected"], rule: str, says: str
) -> None:
    """Held or rejected, for strangers or others: the author reads what happened and what to do."""
    mail_id = await road.stop(rule, verdict=verdict)
    (letter,) = await road.letters()
    assert letter["To"] == AUTHOR
    assert letter["In-Reply-To"] == f"<{mail_id}@example.org>"
    assert letter["Auto-Submitted"] == "auto-replied"
    part = letter.get_body(("plain",))
    assert part is not None
    words = " ".join(part.get_content().split())
    assert says in words
    assert "Minutes" in words


async def test_strangers_whose_name_was_forged_hear_nothing(road: Road) -> None:
    """A forger cannot make us write to anybody: not one mail leaves."""
    for number in range(40):
        author = f"victim{number}@example{number % 3}.org"
        await road.stop("nonmember-moderation", author=author, proof="")
        await road.stop("nonmember-moderation", author=author, proof=PROOF)
        await road.stop("nonmember-moderation", author=author, source="other", proof=PROOF)
        forged = f"mx.evil.example; dkim=pass header.d=example{number % 3}.org"
        await road.stop("nonmember-moderation", verdict="rejected", author=author, proof=forged)
    assert await road.letters() == []


@pytest.mark.parametrize(
    "rule", ["loop", "automatic", "no-senders", "max-hops", "duplicate", "banned-address"]
)
async def test_nobody_waits_for_an_answer(road: Road, rule: str) -> None:
    """What looks like a machine or a loop to any rule is answered by none of ours."""
    await road.stop(rule)
    await road.stop("nonmember-moderation", rule)
    assert await road.letters() == []


async def test_programs_and_lists_are_not_answered(road: Road) -> None:
    """Whatever rule stopped it: marks of robots and of other lists keep us silent."""
    await road.stop("member-moderation", auto_submitted="auto-generated")
    await road.stop("member-moderation", precedence="list")
    await road.stop("member-moderation", return_path="")
    await road.stop("member-moderation", author="no-reply@example.org")
    ours = "mx.our.example; dkim=pass header.d=lists.example.org"
    await road.stop("member-moderation", author="team@lists.example.org", proof=ours)
    assert await road.letters() == []


async def test_three_a_day(road: Road) -> None:
    """Whoever writes ten mails hears of the first three."""
    for _ in range(10):
        await road.stop("nonmember-moderation")
        await road.letters()
    assert len(await road.letters()) == 3


async def test_once_a_mail(road: Road) -> None:
    """Met again after a reset, or decided twice for two addresses of one list: one letter."""
    mail_id = await road.stop("nonmember-moderation")
    await road.stop("nonmember-moderation", mail_id=mail_id, number="-2")
    assert len(await road.letters()) == 1
    await road.broker.api(f"CONSUMER.RESET.ROUTED.{subjects.ANSWERS.name}", {"seq": 1})
    assert len(await road.letters()) == 1


async def test_a_mail_under_a_numbered_id_only(road: Road) -> None:
    """What was decided as the second of several addresses is found all the same."""
    await road.stop("member-moderation", number="-2")
    assert len(await road.letters()) == 1


async def test_old_news_is_no_news(road: Road) -> None:
    """After three days nobody is told, so an old stream read again writes to nobody."""
    await road.stop("nonmember-moderation", ago=timedelta(days=4))
    assert await road.letters() == []
