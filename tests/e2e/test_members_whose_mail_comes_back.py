"""A member's copies come back, so they are sent no more, while all others go on."""

from __future__ import annotations

from pathlib import Path

from schemas.commands import Subscribe
from tests.e2e.system import World, mail, until, world
from tests.peers.records import Record

LIST = "team@example.org"
ANNA, BOB, OLGA = "anna@example.net", "bob@gone.example", "olga@own.example"


def bounce(record: Record) -> bytes:
    """The report that a copy could not be delivered, as its recipient's server sends it."""
    (to,) = record.recipients
    return (
        "Return-Path: <>\r\nFrom: Mail Delivery <mailer-daemon@gone.example>\r\n"
        f"To: {record.sender}\r\nDelivered-To: {record.sender}\r\nSubject: Undelivered Mail\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nMessage-ID: <b@gone.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.gone.example"
        f"\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{to}> no such user\r\n--b--\r\n"
    ).encode()


def copies(here: World, number: int) -> dict[str, Record]:
    """The copies of a post, by recipient."""
    found = [one for one in here.sink.records() if one.message_id == f"<{number}@posts>"]
    return {one.recipients[0]: one for one in found}


async def test_a_member_whose_copies_come_back_is_stopped_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    """First a letter goes out, by `verp_probes`, with an address of its own; that comes back too.
    They are told how to have mail again, the owner hears why; `member set` starts afresh."""
    async with world(tmp_path) as here:
        road = here.road
        await road.make_list(LIST, [ANNA, BOB], bounce_score_threshold="1", verp_probes="true")
        await road.ask("subscribe", Subscribe(list=LIST, address=OLGA, role="owner"))
        here.post(mail(1))

        async def posted(number: int, *whom: str) -> bool:
            return set(copies(here, number)) >= set(whom)

        await until(lambda: posted(1, ANNA, BOB), "both have the first post")
        first = copies(here, 1)[BOB]
        here.post(bounce(first))

        def probes() -> list[Record]:
            return [one for one in here.sink.records() if "still reach you" in one.headers]

        async def probed() -> bool:
            return bool(probes())

        await until(probed, "bob is sent a probe")

        async def status(address: str) -> str:
            rows = (await road.cli("member", "ls", LIST, "--json")).json
            return {row["address"]: str(row["delivery_status"]) for row in rows}[address]

        async def stopped() -> bool:
            return await status(BOB) == "by_bounces"

        (probe,) = probes()
        assert probe.recipients == (BOB,)
        assert probe.sender.startswith("team-bounces+")
        assert probe.sender != first.sender
        here.post(bounce(probe))
        await until(stopped, "bob is stopped")
        here.post(mail(2))
        await until(lambda: posted(2, ANNA), "anna has the second post")
        await road.settled(3)
        assert set(copies(here, 2)) == {ANNA}

        heads = {one.recipients[0]: one.headers for one in here.sink.records() if not one.sender}
        assert "because it came back" in heads[BOB]
        assert "it came back" in heads[OLGA]

        told = await road.cli("member", "bounces", LIST, BOB)
        assert "score 0, delivery by_bounces, 1 warning" in told.out
        assert "550 5.1.1 <(address)> no such user" in told.out
        assert "reported by mx.gone.example" in told.out
        assert "post 1" in told.out

        enabled = await road.cli("member", "set", LIST, BOB, "delivery_status=enabled")
        assert enabled.code == 0
        here.post(mail(3))
        await until(lambda: posted(3, ANNA, BOB), "both have the third post")
