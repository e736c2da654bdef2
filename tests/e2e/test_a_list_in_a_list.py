"""A list that is a member of another: who writes to both is read once by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.system import MAILBOX, World, mail, world

TEAM, CREW = "lists+team@example.org", "lists+crew@example.org"
ANN, BOB = "ann@d1.example.net", "bob@d2.example.net"
OURS = {"from": f'"{MAILBOX}"', "envelope": f'"{MAILBOX}"'}


def delivered(to: str, message: bytes) -> bytes:
    """A mail as the server put it into the mailbox for this address."""
    return f"Delivered-To: {to}\r\n".encode() + message


def pass_on(here: World) -> None:
    """Deliver what team has sent to crew."""
    for record in here.sink.records():
        if CREW in record.recipients:
            here.post(delivered(CREW, Path(record.file).read_bytes()))


@pytest.mark.parametrize("one_copy", ["true", "false"])
@pytest.mark.parametrize("direct", ["first", "last"])
async def test_a_mail_to_both_lists_comes_once(tmp_path: Path, one_copy: str, direct: str) -> None:
    """The author's own mail to the inner list and the copy that the outer one sends there are one
    post, whichever comes first, though the relay lets us keep no author in From."""
    source = {"recipient_headers": '["Delivered-To"]', "one_copy": one_copy}
    async with world(tmp_path, keep=True, source=source, relay=OURS) as here:
        await here.road.make_list(TEAM, [ANN, CREW], sub_address="plus")
        await here.road.make_list(CREW, [BOB], sub_address="plus")
        both = mail(1, to=f"{TEAM}, {CREW}")
        here.post(delivered(TEAM, both))
        if direct == "first":
            here.post(delivered(CREW, both))
        await here.road.settled(2 if direct == "first" else 1)
        pass_on(here)
        await here.road.settled(3 if direct == "first" else 2)
        if direct == "last":
            here.post(delivered(CREW, both))
            await here.road.settled(3)
        assert [r.message_id for r in here.sink.records() if BOB in r.recipients] == ["<1@posts>"]
        assert [r.message_id for r in here.sink.records() if ANN in r.recipients] == ["<1@posts>"]
        held = await here.road.cli("post", "ls", "--held", "--json")
        assert held.json == []
