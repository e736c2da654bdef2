"""Earlier moments on a real broker; mail that is let through after all, copies that are missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from postroad.cli import past
from postroad.cli.hindsight.past import Audiences, Moments, Oracle, learn
from postroad.cli.hindsight.standing import Standings
from postroad.runtime.broker import Broker
from postroad.runtime.errors import PostroadError
from projections.lists import Directory, List
from schemas import commands, subjects
from schemas.commands import WhoIs
from schemas.hindsight import Done, LetThrough, MissingCopies, Proposed, ProposeSettings, Stopped
from schemas.mail import HeaderFacts
from schemas.road import (
    AsOf,
    ChunkQueued,
    Copy,
    FanoutDone,
    HeldAccepted,
    MailReceived,
    MailStopped,
    Origin,
    RuleHit,
)
from services.membership import hindsight
from services.membership.bounces.copies import Copies
from tests.broker.membership import (
    LIST,
    SLUG,
    Membership,
    done,
    membership,
    post,
    queued,
    raw,
    route,
    settings,
)
from tests.broker.router_peers import store

ANN, BOB, CLEO = "ann@one.example", "bob@two.example", "cleo@three.example"
ARCHIVE = "archive@far.example"


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """Membership at work, with a list of two."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        await running.add(ANN, BOB)
        yield running


async def test_earlier_moments_are_as_they_were(broker: Broker, service: Membership) -> None:
    """Who came and left is told as of then: standing, audience, and the moment of a time. A
    proposed setting is told with what it changes, and changes nothing."""
    oracle, standings, moments = Oracle(broker), Standings(), Moments(broker)
    early = (await service.as_of()).membership
    await service.ask(commands.Unsubscribe(list=LIST, address=BOB))
    await service.add(CLEO)
    late = (await service.as_of()).membership
    await learn(oracle, standings, [ANN, BOB, CLEO], [])
    known = List(slug=SLUG, address=LIST)

    def on_it(address: str, moment: int) -> bool:
        ask = WhoIs(list=SLUG, address=address)
        return bool(standings.author(known, Directory(), ask, moment).roles)

    found = [(on_it(each, early), on_it(each, late)) for each in (ANN, BOB, CLEO)]
    assert found == [(True, True), (True, False), (False, True)]
    for begin in (0, early):
        audiences = Audiences(oracle, begin)
        told = [await audiences.at(SLUG, moment, late) for moment in (early, early + 1, late)]
        assert told == [2, 1, 2]
    stored = [each async for each in broker.scan("MEMBERSHIP", "membership.>")]
    assert [await moments.at(each.time) for each in stored] == [each.seq - 1 for each in stored]

    ask = ProposeSettings(list=LIST, settings={"bans+": BOB, "emergency": "true"})
    proposed = await oracle.ask("propose", ask, Proposed)
    assert (proposed.slug, sorted(proposed.changes)) == (SLUG, ["bans", "emergency"])
    same = ProposeSettings(list=LIST, settings={"emergency": "false"})
    assert (await oracle.ask("propose", same, Proposed)).changes == {}
    wrong = ProposeSettings(list=LIST, settings={"emergancy": "true"})
    with pytest.raises(PostroadError, match="did you mean 'emergency'"):
        await oracle.ask("propose", wrong, Proposed)


async def test_who_is_on_many_lists_is_told_in_several_answers(
    broker: Broker, service: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer stays below what the broker carries, and nobody is left out."""
    monkeypatch.setattr(hindsight, "LONGEST", 100)
    await service.add(CLEO)
    standings = Standings()
    await learn(Oracle(broker), standings, [ANN, BOB, CLEO], [])
    moment = (await service.as_of()).membership
    for address in (ANN, BOB, CLEO):
        who = WhoIs(list=SLUG, address=address)
        known = List(slug=SLUG, address=LIST)
        assert standings.author(known, Directory(), who, moment).roles == ("member",)


async def test_missing_copies_are_queued_once(broker: Broker, service: Membership) -> None:
    """For those who were there then and are now, and whom `also_to` names by now; two who ask at
    once queue nobody twice, with numbers of their own."""
    oracle = Oracle(broker)
    before = await service.as_of()
    routed = post(before)
    skipped = msgspec.structs.replace(routed, without={(await service.whois(BOB)).person: _WISH})
    await route(broker, skipped)
    assert (await done(broker, routed.mail_id)).audience == 1
    await service.ask(commands.ConfigureList(list=LIST, settings={"also_to": ARCHIVE}))
    await service.add(CLEO)
    look = MissingCopies(list=SLUG, mail_id=routed.mail_id)
    assert (await oracle.ask("missing", look, Done)).missing == (ARCHIVE,)
    assert len(await queued(broker, routed.mail_id)) == 1
    go = msgspec.structs.replace(look, go=True)
    told = await asyncio.gather(*(oracle.ask("missing", go, Done) for _ in range(3)))
    assert sorted(each.queued for each in told) == [0, 0, 1]
    chunks = [chunk for _, chunk in await queued(broker, routed.mail_id)]
    assert [(each.chunk, each.first, each.addresses) for each in chunks] == [
        ("0", 0, (ANN,)),
        ("m0", 1, (ARCHIVE,)),
    ]
    assert [each.copy.to_members for each in chunks] == [True, False]
    assert (await oracle.ask("missing", go, Done)).queued == 0

    info = await broker.last("SEND", subjects.send_any_lane(SLUG, routed.mail_id, "0"))
    assert info is not None
    await broker.erase("SEND", info.seq)
    gone = await oracle.ask("missing", go, Done)
    assert (gone.queued, gone.left_alone[0][1]) == (0, "who has a copy is not stored any more")


async def test_a_member_without_a_copy_gets_one_unless_they_left_since(
    broker: Broker, service: Membership
) -> None:
    """Whoever was left out of a fan-out, whatever the reason, is found by the members of then;
    who was on the list and got a copy names them too."""
    await service.add(CLEO)
    ann = (await service.whois(ANN)).person
    routed = post(await service.as_of())
    copy = Copy(raw=routed.raw, list=SLUG, list_address=LIST, bounces=("", ""), post=1)
    chunk = ChunkQueued(
        mail_id=routed.mail_id, list=SLUG, chunk="0", people=(ann,), addresses=(ANN,), copy=copy
    )
    await store(broker, subjects.send("now", SLUG, routed.mail_id, "0"), chunk)
    fanned = FanoutDone(mail_id=routed.mail_id, list=SLUG, audience=1, chunks=1)
    await store(broker, subjects.routed("done", SLUG, routed.mail_id), fanned)
    await route(broker, routed)
    await service.ask(commands.Unsubscribe(list=LIST, address=CLEO))
    await service.add(CLEO)
    go = MissingCopies(list=SLUG, mail_id=routed.mail_id, go=True)
    found = await Oracle(broker).ask("missing", go, Done)
    assert (found.missing, found.queued) == ((BOB,), 1)
    assert await Copies(broker).numbered(SLUG, routed.mail_id, 1) == (
        (await service.whois(BOB)).person,
        BOB,
        True,
        "m0",
    )
    queued_for = past.of_post(broker, SLUG, await past.post(broker, SLUG, routed.mail_id), _none)
    told = {member.row.address: bool(member.why) async for member in queued_for}
    assert told == {ANN: False, BOB: False, CLEO: True}


async def test_what_rules_stopped_is_let_through_once(broker: Broker, service: Membership) -> None:
    """A mail is let through by one of those who ask at once, with the audience of then; what
    somebody else decided first is left alone, and said."""
    oracle = Oracle(broker)
    moment = (await service.as_of()).membership
    held = await _received(broker)
    seq = await store(broker, subjects.routed("held", SLUG, held), _stopped(held))
    never = await _received(broker)
    decided = await _received(broker)
    await store(broker, subjects.routed("rejected", SLUG, decided), _stopped(decided, "rejected"))
    ask = LetThrough(
        list=SLUG,
        mails=(
            Stopped(mail_id=held, decided=seq, as_of=moment),
            Stopped(mail_id=never, as_of=moment),
            Stopped(mail_id=decided, as_of=moment),
            Stopped(mail_id="0" * 32),
        ),
    )
    told = await asyncio.gather(*(oracle.ask("let_through", ask, Done) for _ in range(3)))
    assert sorted(mail for each in told for mail in each.done) == sorted([held, never])
    assert {why for each in told for mail, why in each.left_alone if mail == "0" * 32} == {
        "the mail is gone"
    }
    for mail, behind in ((held, seq), (never, 0)):
        stored = await broker.last("ROUTED", subjects.routed("accepted", SLUG, mail))
        assert stored is not None
        (event,) = stored.envelope().events
        assert isinstance(event, HeldAccepted)
        assert (event.held, event.as_of.membership) == (behind, moment)
        assert stored.envelope().actor.startswith("operator")
    assert await broker.last("ROUTED", subjects.routed("accepted", SLUG, decided)) is None


def _none(_count: int, _total: int) -> None:
    """No progress is shown."""


_WISH = "receive_own_postings"


async def _received(broker: Broker) -> str:
    mail = post(AsOf())
    event = MailReceived(
        mail_id=mail.mail_id,
        origin=Origin(source="office"),
        raw=raw(mail.mail_id),
        facts=HeaderFacts(),
    )
    await broker.publish(subjects.raw(mail.mail_id, 0, 0), b"Subject: x\r\n\r\n")
    await store(broker, subjects.received("office", mail.mail_id), event, mail_id=mail.mail_id)
    return mail.mail_id


def _stopped(mail_id: str, verdict: str = "held") -> MailStopped:
    hits = (RuleHit(rule="emergency", reason="because"),)
    told = {"mail_id": mail_id, "list": SLUG, "verdict": verdict, "hits": hits}
    return msgspec.convert({**told, "raw": raw(mail_id)}, MailStopped)
