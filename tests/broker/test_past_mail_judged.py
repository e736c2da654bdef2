"""Past mail on a real broker, judged by the router's own code: nothing is stored by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec

from postroad.cli.hindsight.judging import Judging
from postroad.cli.hindsight.looking import Question, judged, prepared
from postroad.cli.hindsight.past import Oracle
from postroad.mail.approval import hashed
from postroad.runtime.broker import Broker
from postroad.runtime.clock import now
from schemas import commands, subjects
from schemas.road import MailStopped, RuleHit
from tests.broker.held import ZOE, moderated
from tests.broker.membership import LIST, SLUG, done
from tests.broker.router_peers import all_handled, routing, store

ANN, BOB = "ann@one.example", "bob@two.example"
PASSWORD = "open sesame"


async def test_what_is_told_of_past_mail_rests_on_then_and_changes_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    """The same under the same rules, also where an author has left since or a moderator has let a
    mail through; another verdict under others; a password that was right stays right. What is gone,
    or not decided yet, is counted."""
    async with moderated(
        broker, tmp_path, moderator_password=hashed(PASSWORD, b"salt" * 4)
    ) as here:
        await here.service.add(ANN, BOB)
        async with routing(broker, state_dir=tmp_path) as context:
            posts = [await here.receive(author=ANN, subject=f"Post {n}") for n in range(3)]
            secret = await here.receive(
                author=ZOE, subject="Secret", head=f"Approved: {PASSWORD}\r\n"
            )
            held = [await here.hold(subject=f"Held {n}") for n in range(3)]
            await here.decide(held[0])
            await here.decide(held[1], "discard")
            held.append(await here.hold(subject="Expired"))
            await _expired(broker, held[3])
            for mail_id in (*posts, secret, held[0]):
                await done(broker, mail_id)
            await all_handled(broker)
        await here.receive(author=ANN, subject="Waits")
        await here.service.ask(commands.Unsubscribe(list=LIST, address=ANN))
        gone = await broker.last("RECEIVED", subjects.received("*", posts[0]))
        assert gone is not None
        await broker.erase("RECEIVED", gone.seq)
        stored = await _stored(broker)

        question = Question(list=LIST, begin=now() - timedelta(hours=1), end=now(), dns=False)
        judging, _ = await prepared(broker, context.config, Oracle(broker), question)
        found = {each.subject: each for each in await judged(judging, question)}
        assert _counts(judging) == (7, 7, 1, 1)
        assert found["Secret"].now.rule == "approved"
        assert (found["Held 0"].now.outcome, found["Held 1"].now.outcome) == ("post", "discarded")
        assert found["Post 1"].now.copies == 2

        opened = replace(question, settings={"default_nonmember_action": "accept"})
        judging, proposed = await prepared(broker, context.config, Oracle(broker), opened)
        found = {each.subject: each for each in await judged(judging, opened)}
        assert proposed.slug == SLUG
        assert {name for name, each in found.items() if "verdict" in each.differs} == {
            "Held 1",
            "Held 2",
            "Expired",
        }
        assert found["Held 2"].now.copies == 2
        assert await _stored(broker) == stored


async def _expired(broker: Broker, mail_id: str) -> None:
    """Nobody decided on a held mail in time."""
    held = await broker.last("ROUTED", subjects.routed("held", SLUG, mail_id))
    assert held is not None
    (event,) = held.envelope().events
    assert isinstance(event, MailStopped)
    hits = (RuleHit(rule="expired", reason=""), *event.hits)
    ended = msgspec.structs.replace(event, verdict="discarded", hits=hits, held=held.seq)
    await store(broker, subjects.routed("discarded", SLUG, mail_id), ended)


def _counts(judging: Judging) -> tuple[int, int, int, int]:
    tally = judging.tally
    return tally.mails, tally.same, tally.gone, tally.undecided


async def _stored(broker: Broker) -> dict[str, int]:
    """How far each stream is, but those of traces, and of what membership notes by itself."""
    beside = ("SPANS", "PENDING")
    names = [stream.name for stream in subjects.STREAMS if stream.name not in beside]
    infos = [await broker.api(f"STREAM.INFO.{name}") for name in names]
    return {info["config"]["name"]: info["state"]["last_seq"] for info in infos}
