"""A person is forgotten: no byte of their address is left, wherever it lay."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope, new_id, now
from postroad.runtime.errors import Retry
from postroad.runtime.settings_retention import Retention
from schemas import codec, subjects
from schemas.addresses import ChangeAddress
from schemas.commands import (
    CloseList,
    ConfigureList,
    EraseMember,
    ListRequests,
    MemberHistory,
    PastPage,
    ShowList,
    Subscribe,
)
from schemas.envelope import Event
from schemas.erasure import Erased
from schemas.parking import ParkedResolved
from schemas.pending import ConfirmationAsked, RequestDecided, RequestMade
from schemas.people import PersonKnown
from schemas.road import ChunkQueued, Parked, WindowRecorded
from services.membership import erasing, expiry
from services.membership.people import People
from services.sender.departed import Departed
from tests.broker import test_membership_killed as killed
from tests.broker.membership import LIST, Membership, done, membership, post, queued, route
from tests.broker.requests import SERVER, Post, mail_of, settings
from tests.peers.traces import in_files, in_streams, tells

ANN = "Ann.Unmistakable@example.org"
NAME = "Annabel Unforgettable"
WORK = "ann.unparalleled@work.example"
FROM_ANN = {
    "From": f"{NAME} <{ANN}>",
    "Authentication-Results": f"{SERVER}; dkim=pass header.d=example.org",
}
BOB = "bob@example.org"
CLOSED, MODERATED = "closed@lists.example.org", "moderated@lists.example.org"


async def erase(service: Membership, address: str = ANN, *, dry: bool = False) -> list[Erased]:
    """What the command asks: of SEND, of DEADLETTER, then of the person."""
    found = []
    for stream in ("SEND", "DEADLETTER", ""):
        ask = EraseMember(address=address.lower(), stream=stream, dry=dry)
        answer = await service.ask(ask)
        assert answer.erasure is not None, answer.refused
        found.append(answer.erasure)
    return found


async def sent(broker: Broker) -> None:
    """All that is queued goes out."""
    async for stored in broker.scan("SEND", "mail.send.>"):
        for chunk in stored.envelope().events:
            assert isinstance(chunk, ChunkQueued)
            entry = WindowRecorded(
                mail_id=chunk.mail_id, list=chunk.list, chunk=chunk.chunk, finished=True
            )
            subject = subjects.delivery(chunk.list, chunk.mail_id, chunk.chunk)
            data = codec.encode(envelope([entry], correlation=chunk.mail_id, actor="test"))
            await broker.publish(subject, data)


async def parked(broker: Broker, text: str) -> None:
    """Something that nobody could process, and somebody has resolved."""
    event = Parked(
        stream="ROUTED",
        seq=1,
        subject="mail.routed.x",
        durable="fanout",
        reason="a bug",
        family="bug",
        data=text.encode(),
    )
    data = codec.encode(envelope([event], correlation="1", actor="test"))
    name = subjects.deadletter("fanout", "ROUTED", 1)
    seq = await broker.publish(name, data, expect=0)
    resolved = ParkedResolved(parked=seq, how="dropped", reason=text)
    data = codec.encode(envelope([resolved], correlation="1", actor="test"))
    await broker.publish(name, data, expect=seq)


async def also_at(service: Membership, address: str) -> None:
    """Ann is known at another address, too."""
    people = People(service.broker, service.context.config.site_key())
    ann = await people.find(ANN)
    assert ann is not None
    event = PersonKnown(person=ann.id, address=address, display_name=NAME)
    data = codec.encode(envelope([event], correlation="1", actor="test"))
    await service.broker.publish(subjects.people(people.key(address)), data, expect=0)


async def live(service: Membership) -> ChunkQueued:
    """Ann joins by mail, gets an office, is on a list that is closed, waits for the owners of
    another, has a second address, and is sent a post; the chunk of it."""
    mail = Post(service.broker)
    await service.create()
    await service.create(CLOSED)
    await service.create(MODERATED, subscription_policy="moderate")
    _, (question,) = await mail.ask("join", mail_of(From=FROM_ANN["From"]))
    await mail.ask("confirm", mail_of(**FROM_ANN), token=question.token)
    await mail.ask("join", mail_of(**FROM_ANN), slug="moderated-lists-example-org")
    await also_at(service, WORK)
    await service.add(ANN, role="owner")
    await service.ask(Subscribe(list=CLOSED, address=ANN))
    await service.ask(CloseList(list=CLOSED))
    routed = post(await service.as_of())
    await route(service.broker, routed)
    await done(service.broker, routed.mail_id)
    ((_, chunk),) = await queued(service.broker, routed.mail_id)
    await parked(service.broker, f"to {ANN}")
    return chunk


def test_the_search_finds_every_encoding() -> None:
    """What finds nothing below would find it."""
    word = ANN.encode()
    for data in (
        word.upper(),
        ANN.encode("utf-16-le"),
        ANN.encode("utf-16-be"),
        *(base64.b64encode(b"x" * n + word + b"yz") for n in range(3)),
        word.replace(b"@", b"%40"),
        word.replace(b"@", b"=40"),
        word.replace(b"@", b"+40"),
        word.hex().encode(),
        json.dumps("é" + ANN).encode(),
    ):
        assert tells(b"before " + data + b" behind", ANN), data
    assert tells(json.dumps("é@example.org").encode(), "é@example.org")
    assert not tells(b"ann@example.org", ANN)


async def test_of_the_erased_nothing_is_left(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once nothing is left but what has an age: mail, queued copies, what was parked. After it
    nothing at all; counts are true, the history is nobody's, and who comes back is somebody new.
    Whichever of the addresses is given, all go."""
    async with membership(broker, settings(tmp_path)) as service:
        chunk = await live(service)
        await sent(broker)
        before = await service.whois(ANN.lower())
        moment = now().isoformat()
        assert {"PEOPLE", "PENDING", "SEND", "RAW"} <= await in_streams(broker, ANN)
        assert {"PEOPLE", "PENDING"} <= await in_streams(broker, NAME)
        assert [name for name in in_files(tmp_path, ANN) if "roster" in name]
        unused = tmp_path / "roster-2.duckdb"  # of an instance that ran once
        unused.write_text(ANN)

        planned = await erase(service, WORK, dry=True)
        assert (await service.whois(ANN.lower())).roles == ("member", "owner")
        assert await erase(service, WORK) == planned
        queues, dead, person = planned
        assert (person.known, person.addresses) == (True, (ANN.lower(), WORK))
        assert (person.lists, person.questions) == ((CLOSED, LIST), 2)
        assert (queues.letters, queues.chunks, queues.kept) == (3, 0, 1)
        assert (dead.dead, dead.kept) == (0, 1)
        assert (await service.ask(ListRequests(list=MODERATED))).requests == ()
        assert not unused.exists()
        aged = {"RAW", "RECEIVED", "SEND", "DEADLETTER"}
        for word in (ANN, NAME, WORK):
            assert await in_streams(broker, word) <= aged
            for file in in_files(tmp_path, word):
                assert any(f"streams/{stream}/" in file for stream in aged), (word, file)

        later = now() + timedelta(days=91)
        monkeypatch.setattr(erasing, "now", lambda: later)
        queues, dead, person = await erase(service)
        assert (queues.chunks, dead.dead, queues.kept, dead.kept) == (1, 1, 0, 0)
        assert (person.known, person.lists) == (False, ())
        for stream in ("RAW", "RECEIVED"):  # as the janitor will
            async for stored in broker.scan(stream, ">"):
                await broker.erase(stream, stored.seq)
        for word in (ANN, NAME, WORK):
            assert await in_streams(broker, word) == set()
            assert in_files(tmp_path, word) == []

        assert (await service.whois(ANN.lower())).person == ""
        (row,) = (await service.ask(ShowList(list=LIST))).lists
        assert (row.members, row.owners) == (0, 0)
        told = await service.ask(MemberHistory(list=LIST, address=ANN))
        assert told.erased
        assert [row.reason for row in told.history if row.event == "member_unsubscribed"] == [
            "erased",
            "erased",
        ]
        past = await service.ask(PastPage(list=LIST, at=moment))
        assert (past.total, [one.row.address for one in past.past]) == (1, [""])
        chunk = msgspec.structs.replace(chunk, since=now() - timedelta(minutes=1))
        assert chunk.people[0] in await Departed(broker).of(chunk, now())
        await service.add(ANN)
        after = await service.whois(ANN.lower())
        assert after.person not in ("", before.person)
        assert after.roles == ("member",)


async def test_the_ages_are_those_of_the_settings(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queues of copies and parked messages are overwritten once they are as old as [retention]
    says, and what is younger is told with the time when it will be; an age past all time is
    for ever."""
    config = msgspec.structs.replace(
        settings(tmp_path), retention=Retention(send="2h", deadletter="999999999999d")
    )
    async with membership(broker, config) as service:
        await service.create()
        await service.add(ANN)
        routed = post(await service.as_of())
        await route(broker, routed)
        await done(broker, routed.mail_id)
        await sent(broker)
        await parked(broker, f"to {ANN}")
        queues, dead, _ = await erase(service, dry=True)
        assert (queues.chunks, queues.kept, dead.kept) == (0, 1, 1)
        assert queues.until < (now() + timedelta(hours=2)).isoformat()
        later = now() + timedelta(hours=2)
        monkeypatch.setattr(erasing, "now", lambda: later)
        queues, dead, _ = await erase(service)
        assert (queues.chunks, queues.kept, dead.dead, dead.kept) == (1, 0, 0, 1)
        assert await in_streams(broker, ANN) == {"DEADLETTER"}


async def test_what_is_on_its_way_is_left_and_others_are_untouched(
    broker: Broker, tmp_path: Path
) -> None:
    """A letter that was not sent yet stays and is told; the people, questions and letters of others
    stay, those with an address that holds this one, too."""
    longer = f"x.{ANN}"
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        mail = Post(broker)
        for author in (ANN, longer):
            await mail.ask("join", mail_of(author=author))
        await service.add(BOB)
        queues, _, person = await erase(service)
        assert (queues.letters, queues.kept) == (0, 1)
        assert queues.until > now().isoformat()
        assert (person.known, person.questions) == (False, 1)
        await sent(broker)
        assert [found.letters for found in await erase(service)] == [1, 0, 0]
        assert (await service.whois(BOB)).roles == ("member",)
        assert "PENDING" in await in_streams(broker, longer)
        assert [letter.to for letter in await mail.letters()] == [longer.lower()]


async def test_killed_in_the_middle_the_next_erases_the_rest(
    broker: Broker, tmp_path: Path
) -> None:
    """Killed when the first of two addresses was forgotten and not yet overwritten, an erasure by
    either of them leaves nothing of both."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANN)
        await also_at(service, WORK)
    asking = asyncio.create_task(again_and_again(broker, EraseMember(address=ANN)))
    await killed.die(tmp_path, "membership.person_erased")
    asking.cancel()
    assert {*await in_streams(broker, ANN), *await in_streams(broker, WORK)} == {"PEOPLE"}
    async with membership(broker, settings(tmp_path)) as service:
        await erase(service, WORK)
        for word in (ANN, WORK):
            assert in_files(tmp_path, word) == []


async def again_and_again(broker: Broker, request: EraseMember) -> None:
    """Ask until somebody is there to hear it."""
    while True:
        with contextlib.suppress(Retry):
            data = msgspec.json.encode(request)
            await broker.request(subjects.command("member_erase"), data, timeout=30)
        await asyncio.sleep(0.02)


async def test_an_erasure_that_the_broker_refuses_says_so(broker: Broker, tmp_path: Path) -> None:
    """Whose bytes could not be overwritten is not told to be erased."""
    config = (await broker.api("STREAM.INFO.PEOPLE"))["config"]
    await broker.api("STREAM.UPDATE.PEOPLE", {**config, "deny_delete": True})
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANN)
        answer = await service.ask(EraseMember(address=ANN))
        assert (answer.code, answer.erasure) == ("unavailable", None)
        assert "not everything is erased" in answer.refused
        assert "give the command again" in answer.refused
        assert ANN.lower() not in answer.refused.lower()


async def test_whoever_has_an_address_by_now_keeps_it(broker: Broker, tmp_path: Path) -> None:
    """Erasing who had it before takes what was said of them there, and nothing else."""
    async with membership(broker, settings(tmp_path)) as service:
        people = People(broker, service.context.config.site_key())
        key = people.key(WORK)
        for seq, person in enumerate(("0" * 24, "1" * 24)):
            event = PersonKnown(person=person, address=WORK, display_name=f"Person {person}")
            data = codec.encode(envelope([event], correlation="1", actor="test"))
            await broker.publish(subjects.people(key), data, expect=seq)
        assert await people.erase(key, of="0" * 24, correlation="1", actor="test")
        assert "PEOPLE" not in "".join(in_files(tmp_path / "broker", "Person 000"))
        found = await people.find(WORK)
        assert found is not None
        assert found.id == "1" * 24


async def test_who_has_moved_is_erased_where_they_are_reached(
    broker: Broker, tmp_path: Path
) -> None:
    """An address that somebody gave up is nobody's, and whose it was is told; erased at the address
    that they have now, no trace is left of either."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANN)
        moved = await service.ask(ChangeAddress(verb="move", own=ANN, address=WORK))
        assert moved.changed
        *_, person = await erase(service)
        assert (person.known, person.moved, person.lists) == (False, WORK, ())
        assert (await service.whois(WORK)).roles == ("member",)
        *_, person = await erase(service, WORK)
        assert (person.known, person.lists) == (True, (LIST,))
        for word in (ANN, WORK):
            assert in_files(tmp_path, word) == []


async def test_a_letter_to_an_address_that_was_only_asked_goes_too(
    broker: Broker, tmp_path: Path
) -> None:
    """Where somebody asked for one more address that never answered, whoever is forgotten leaves no
    letter there, and the address is named; a letter that went there for another reason stays."""
    third = "ann.unanswered@home.example"
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(ANN)
        mail = Post(broker)
        wish = f"add address {third}\n"
        await mail.ask("request", mail_of(wish, **FROM_ANN))
        await mail.ask("join", mail_of(author=third))
        await sent(broker)
        planned = await erase(service, dry=True)
        assert await erase(service) == planned
        queues, _, person = planned
        assert (queues.letters, person.questions, person.asked) == (2, 1, (third,))
        assert [letter.to for letter in await mail.letters()] == [third]


async def test_settings_that_name_somebody_are_told(broker: Broker, tmp_path: Path) -> None:
    """An address that an owner wrote into a setting is not changed behind their back, but said;
    also where it stands only in its history."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(also_to=ANN.lower())
        await service.ask(ConfigureList(list=LIST, settings={"also_to": ""}))
        *_, person = await erase(service, dry=True)
        assert person.named == (LIST,)
        *_, person = await erase(service, "unmistakable@example.org", dry=True)
        assert person.named == ()


async def test_questions_are_overwritten_before_their_stream_drops_them(
    broker: Broker, tmp_path: Path
) -> None:
    """Of who was asked and never answered nothing is left on the disk after their time; what waits
    still stays."""
    for number, address in enumerate((ANN, BOB)):
        asked = ConfirmationAsked(
            list="team", action="join", address=address, cause=new_id(), expires=now()
        )
        data = codec.encode(envelope([asked], correlation="c", actor="test"))
        await broker.publish(subjects.confirmation(f"{number:064x}"), data, expect=0)
        if not number:
            between = now()
    await expiry.overwrite(broker, between)
    assert in_files(tmp_path, ANN) == []
    assert await in_streams(broker, BOB) == {"PENDING"}


async def test_of_a_request_only_the_last_word_is_kept(broker: Broker, tmp_path: Path) -> None:
    """A request, its verdict and its end are one request; what the last of them says anew is
    overwritten in the two before, and all of it after its time."""
    made = RequestMade(
        list="team", action="join", address=ANN, cause=new_id(), at=now(), expires=now()
    )
    end = RequestDecided(end="rejected", reason=NAME, by="b", actor="a", at=now())
    done = msgspec.structs.replace(end, done=True)
    subject = subjects.request("team", "0" * 16)
    told: list[list[Event]] = [[made], [made, end], [made, done]]
    for seq, events in enumerate(told):
        data = codec.encode(envelope(events, correlation="c", actor="test"))
        last = await broker.publish(subject, data, expect=seq)
    await expiry.overwrite(broker, now() - expiry.AGE)
    assert [stored.seq async for stored in broker.scan("PENDING", subject)] == [last]
    await expiry.overwrite(broker, now() + timedelta(hours=1))
    assert in_files(tmp_path, ANN) == in_files(tmp_path, NAME) == []
