"""The main job: a post to an alias reaches every member, once, unaltered, well labelled."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.e2e.system import mail, world
from tests.peers.checker import Post, check

MEMBERS = [f"m{n}@d{n % 3}.example.net" for n in range(10)]


async def test_each_member_gets_an_own_copy(tmp_path: Path) -> None:
    """In personal mode each member gets one copy with an own envelope sender and the exact list
    headers; body and Message-ID are the author's."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS, display_name="Team")
        message = mail(1)
        here.post(message)
        records = await here.sink.wait_for(10)
        body = hashlib.sha256(message.partition(b"\r\n\r\n")[2]).hexdigest()
        report = check(records, [Post("<1@posts>", frozenset(MEMBERS), body_sha256=body)])
        assert report.exact, report
        assert not here.sink.violations()
        senders = {record.sender for record in records}
        assert len(senders) == 10
        assert all(s.startswith("team-bounces+") and len(s.split("@")[0]) <= 64 for s in senders)
        head = records[0].headers.split("\r\n")
        assert "List-Id: Team <team.example.org>" in head
        assert "List-Post: <mailto:team@example.org>" in head
        assert "List-Help: <mailto:team-request@example.org?subject=help>" in head
        assert "List-Subscribe: <mailto:team-join@example.org>" in head
        assert "List-Owner: <mailto:team-owner@example.org>" in head
        assert "Precedence: list" in head
        assert "Subject: [Team] post 1" in head
        assert any(line.startswith("List-Unsubscribe: <mailto:team-leave+") for line in head)
        assert not any("https:" in line for line in head)
        assert len({record.trace for record in records}) == 1
        assert await here.waiting() == 0


async def test_shared_copies_share_a_transaction(tmp_path: Path) -> None:
    """In shared mode one transaction serves many recipients and holds nobody's token."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS, personalize="none")
        here.post(mail(1))
        (record,) = await here.sink.wait_for(10)
        assert set(record.recipients) == set(MEMBERS)
        assert record.sender == "team-bounces@example.org"
        assert "List-Unsubscribe: <mailto:team-leave@example.org>" in record.headers


async def test_one_mail_to_two_lists_is_two_posts(tmp_path: Path) -> None:
    """A cross-post reaches the members of both lists, each under its own List-Id."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS[:6])
        await here.road.make_list("crew@example.org", MEMBERS[4:])
        here.post(mail(1, to="crew@example.org, Team <TEAM@example.org>"))
        records = await here.sink.wait_for(12)
        posts = [
            Post("<1@posts>", frozenset(MEMBERS[:6]), list_id="team.example.org"),
            Post("<1@posts>", frozenset(MEMBERS[4:]), list_id="crew.example.org"),
        ]
        assert check(records, posts).exact


async def test_mail_for_no_list_stays_visible(tmp_path: Path) -> None:
    """Mail that is for none of our lists is recorded and shown, and sent to nobody."""
    async with world(tmp_path) as here:
        await here.road.make_list("team@example.org", MEMBERS)
        here.post(mail(1, to="nobody-we-know@example.org"))
        await here.road.settled(1)
        shown = await here.road.cli("post", "ls", "--unrouted", "--json")
        assert shown.code == 0, shown.err
        assert [post["message_id"] for post in shown.json] == ["1@posts"]
        assert here.sink.records() == []
