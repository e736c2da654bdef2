"""The janitor on the whole road: what is finished goes, the rest stays, nothing is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from postroad.runtime.blobs import put_raw
from postroad.runtime.clock import envelope
from schemas import codec, subjects
from schemas.mail import HeaderFacts
from schemas.road import MailReceived, Origin
from tests.e2e.system import World, mail, until, world
from tests.peers.sink import Rule, Script

MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(6)]
SLOW = Rule(at="rcpt", match="^slow@", reply="450 4.2.2 Mailbox full")
SOON = {f"POSTROAD_RETENTION__{age}": "1s" for age in ("MAIL", "SEND", "DEADLETTER")}
BROKEN = "b" * 32
STREAMS = ("RECEIVED", "RAW", "SEND")


async def mails(here: World, stream: str) -> set[str]:
    """What a stream still has: the Message-IDs of mails, or `letter`."""
    routed = {BROKEN: "broken"}
    async for stored in here.road.broker.scan("ROUTED", "mail.routed.>"):
        for event in stored.envelope().events:
            if message_id := getattr(event, "message_id", ""):
                routed[stored.subject.rpartition(".")[2]] = message_id.strip("<>").partition("@")[0]
    found = set()
    async for subject in subjects_of(here, stream):
        ids = [token for token in subject.split(".") if len(token) == 32]
        found.add(routed.get(ids[0], "letter"))
    return found


async def subjects_of(here: World, stream: str) -> AsyncIterator[str]:
    """The subjects that a stream has."""
    async for stored in here.road.broker.scan(stream, ">"):
        yield stored.subject


async def park(here: World) -> None:
    """A mail that the router cannot take."""
    data = mail("broken")
    ref = await put_raw(here.road.broker, BROKEN, 0, data, data.index(b"\r\n\r\n") + 4)
    event = MailReceived(mail_id=BROKEN, origin=Origin(source="box"), raw=ref, facts=HeaderFacts())
    message = codec.encode(envelope([event], correlation=BROKEN, actor="test"))
    await here.road.broker.publish(subjects.received("other", BROKEN), message, expect=0)


async def reset(here: World) -> None:
    """Every consumer reads its stream from the beginning, to its end."""
    for durable in subjects.DURABLES:
        name = f"{durable.stream}.{durable.name}"
        await here.road.broker.api(f"CONSUMER.RESET.{name}", {"seq": 1})
    for durable in subjects.DURABLES:
        await here.road.settled_again(durable.stream, durable.name)


async def test_what_is_finished_goes_and_nothing_else(tmp_path: Path) -> None:
    """Posts, letters and mail for nobody go at their age; what is held anywhere, tried again or
    parked stays, and can still be sent. Then every consumer is reset: nothing is sent, nothing is
    parked, and commands about what went say so."""
    async with world(tmp_path, script=Script(rules=(SLOW,))) as here:
        road = here.road
        await road.make_list("team@example.org", MEMBERS)
        await road.make_list("slow@example.org", ["slow@example.net"])
        await road.make_list("staff@example.org", MEMBERS, default_nonmember_action="hold")
        for number in range(3):
            here.post(mail(number))
        here.post(mail("slow", to="slow@example.org"))
        here.post(mail("held", to="staff@example.org"))
        here.post(mail("both", to="team@example.org, staff@example.org"))
        here.post(mail("nobody", to="nobody@example.org"))
        here.post(mail("join", to="team-join@example.org", author="new@example.net"))
        await park(here)
        await road.settled(9)

        async def waits() -> bool:
            return await road.retries() and len(await mails(here, "RAW")) > 8

        await until(waits, "a copy is tried again")
        await road.run("projector")
        await road.ready(["projector"])
        await road.run("janitor", env=SOON)
        unfinished = {"slow", "held", "both", "broken"}

        async def gone() -> bool:
            kept = [await mails(here, stream) for stream in STREAMS]
            assert kept[0] >= unfinished
            assert kept[1] >= unfinished
            return kept == [unfinished, unfinished, {"slow"}]

        await until(gone, "all that is finished is gone")
        before = len(here.sink.records())
        await reset(here)
        assert len(here.sink.records()) == before
        parked = await road.broker.api(
            "STREAM.INFO.DEADLETTER", {"subjects_filter": "deadletter.>"}
        )
        assert len(parked["state"]["subjects"]) == 1

        async def counted() -> bool:
            counts = (await road.report("janitor")).counts
            return min(counts.get("mails", 0), counts.get("sendings", 0)) >= 5

        await until(counted, "the look is over, and told")
        kept = {name.rpartition(".")[2] async for name in subjects_of(here, "RECEIVED")}
        rows = [row["id"] for row in (await road.cli("post", "ls", "--json")).json]
        one, other = (
            next(row for row in rows if (row in kept) == there) for there in (False, True)
        )
        told = await road.cli("post", "show", one)
        assert (told.code, "the mail itself is deleted" in told.out) == (0, True), told.err
        assert (await road.cli("trace", one)).code == 0
        assert "the mail itself is deleted" not in (await road.cli("post", "show", other)).out
        look = (await road.cli("retention", "--dry-run", "--json")).json
        assert sum(look["delete"].values()) == 0
        waiting = (await road.cli("held", "ls", "--json")).json
        for each in waiting:
            assert (await road.cli("held", "accept", each["id"])).code == 0
        await here.sink.wait_for(before + 2 * len(MEMBERS))
        await road.stop("janitor")
