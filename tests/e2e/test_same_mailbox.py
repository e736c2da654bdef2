"""One mailbox for everything, as at Gmail: lists at plus-addresses, our own copies beside the
members' mail, merged and doubled copies, and every bounce sent to the account."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.system import MAILBOX, mail, world
from tests.peers.checker import Post, check
from tests.peers.records import Record

TEAM, CREW = "lists+team@example.org", "lists+crew@example.org"
TEAM_ID, CREW_ID = "lists+team.example.org", "lists+crew.example.org"
MEMBERS = {TEAM: ["ann@d1.example.net", "bob@d2.example.net"], CREW: ["cat@d3.example.net"]}
SOURCE = {"recipient_headers": '["Delivered-To"]', "one_copy": "true"}
RELAY = {"envelope": f'"{MAILBOX}"'}


def delivered(to: str, message: bytes) -> bytes:
    """A mail as the server put it into the mailbox for this address."""
    return f"Delivered-To: {to}\r\n".encode() + message


def bounce(record: Record) -> bytes:
    """The report on a copy, sent to the account because that was the envelope sender."""
    return (
        f"Return-Path: <>\r\nReceived: from mx by mailbox; Fri, 20 Nov 2026 12:01:00 +0000\r\n"
        f"From: Mail Delivery Subsystem <mailer-daemon@d1.example.net>\r\nTo: {record.sender}\r\n"
        "Subject: Delivery Status Notification (Failure)\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nNo such user.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Action: failed\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        f"{record.headers}\r\n\r\nDear all\r\n--b--\r\n"
    ).encode()


async def test_a_list_lives_in_the_mailbox_that_it_sends_from(tmp_path: Path) -> None:
    """Merged, doubled and blind copies reach each member of each list once; own copies and own
    notices go round in no circle; a bounce to the account names the post and the member."""
    async with world(tmp_path, source=SOURCE, relay=RELAY) as here:
        for address, members in MEMBERS.items():
            await here.road.make_list(address, members, sub_address="plus")
        cross_post = mail(1, to=f"{TEAM}, {CREW}")
        here.post(delivered(TEAM, cross_post))  # the provider kept one copy of the two
        here.post(delivered(TEAM, mail(2, to="Undisclosed <someone@example.com>")))  # Bcc
        here.post(delivered(MAILBOX, mail(3, to=TEAM)))
        here.post(delivered(TEAM, mail(3, to=TEAM)))  # once more, by another way
        forged = f"Delivered-To: {CREW}\r\n".encode()
        above, _, below = mail(4, to=TEAM).partition(b"From:")
        here.post(delivered(MAILBOX, above + forged + b"From:" + below))
        records = await here.sink.wait_for(9)
        await here.road.settled(5)
        posts = [
            *(Post(f"<{n}@posts>", frozenset(MEMBERS[TEAM]), list_id=TEAM_ID) for n in range(1, 5)),
            Post("<1@posts>", frozenset(MEMBERS[CREW]), list_id=CREW_ID),
        ]
        assert check(here.sink.records(), posts).exact
        assert {record.sender for record in records} == {MAILBOX}
        again = await here.road.cli("post", "ls", "--discarded", "--json")
        assert ["duplicate" in row["reason"] for row in again.json] == [True]

        listed = await here.road.cli("post", "ls")
        assert TEAM in listed.out
        assert CREW in listed.out

        lost = next(
            r
            for r in records
            if r.recipients == ("ann@d1.example.net",) and r.message_id == "<1@posts>"
        )
        here.post(delivered(MAILBOX, lost.headers.encode() + b"\r\n\r\nDear all\r\n"))  # All Mail
        here.post(delivered(MAILBOX, bounce(lost)))
        await here.road.settled(7)  # the copy names both lists: discarded twice
        assert [r.headers for r in here.sink.records()[9:]] == []
        discarded = await here.road.cli("post", "ls", "--discarded", "--json")
        assert sorted(row["reason"].partition(":")[0] for row in discarded.json) == [
            "duplicate",
            "duplicate",
            "loop",
        ]
        unrouted = await here.road.cli("post", "ls", "--unrouted", "--json")
        assert unrouted.json == []
        story = await here.road.cli("post", "show", lost.trace, "--json")
        (fate,) = (fate for fate in story.json["lists"] if fate["list"] == TEAM)
        assert [back["address"] for back in fate["bounces"]] == ["ann@d1.example.net"]
        shown = await here.road.cli("post", "show", lost.trace)
        assert "came back" in shown.out
        assert "ann@d1.example.net" in shown.out
