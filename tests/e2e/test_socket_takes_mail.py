"""A mail that a client brings by LMTP or SMTP: what is stored, and what the client is told."""

from __future__ import annotations

from pathlib import Path

from schemas.commands import CloseList
from tests.e2e.sockets import listening
from tests.e2e.system import mail

TEXT = mail(1)


async def test_a_mail_is_stored_before_the_answer(tmp_path: Path) -> None:
    """250 means that bytes, facts and envelope are in the broker; one mail to several lists is
    one mail, and LMTP has an answer for each recipient."""
    async with listening(tmp_path, lists=("team@example.org", "news@example.org")) as socket:
        async with socket.client() as client:
            to = ("team@example.org", "News-Join@example.org", "team@example.org")
            assert await client.send(TEXT, to) == "250 2.0.0 taken"
            assert [await client.reply() for _ in to[1:]] == ["250 2.0.0 taken"] * 2
        (event,) = await socket.received()
        assert await socket.texts() == [TEXT]
        assert event.envelope_from == "ada@a.example"
        assert event.envelope_to == ("team@example.org", "News-Join@example.org")
        assert event.facts.message_id == "1@posts"


async def test_a_null_sender_is_recorded_as_such(tmp_path: Path) -> None:
    """Bounces come this way: their empty sender is a fact, not the lack of one."""
    async with listening(tmp_path, "smtp") as socket, socket.client() as client:
        assert (await client.send(TEXT, sender="")).startswith("250 ")
        (event,) = await socket.received()
        assert event.envelope_from == ""


async def test_a_mail_that_comes_again_is_taken_once(tmp_path: Path) -> None:
    """Whoever lost our answer sends the same bytes to the same recipients, and is told yes again;
    one that differs in its Received is another mail."""
    async with listening(tmp_path) as socket, socket.client() as client:
        for _ in range(2):
            assert (await client.send(TEXT)).startswith("250 ")
        assert len(await socket.received()) == 1
        other = TEXT.replace(b"12:00:00", b"12:00:01")
        assert (await client.send(other)).startswith("250 ")
        assert len(await socket.received()) == 2


RECIPIENTS = {
    "nobody@example.org": "550 5.1.1",
    "team@example.com": "550 5.1.1",
    "old@example.org": "550 5.2.1",
    "old-join@example.org": "550 5.2.1",
    "team-owner@example.org": "250 2.1.5",
    "TEAM+bounces-abc@EXAMPLE.org": "250 2.1.5",
    "team-confirm+abc@example.org": "250 2.1.5",
    "bounces+abc@example.org": "250 2.1.5",
    "a b@example.org": "501 5.5.4",
    "team@example.org@evil.example": "501 5.1.3",
    "@evil.example:team@example.org": "501 5.1.3",
}


async def test_recipients_are_judged_in_the_dialogue(tmp_path: Path) -> None:
    """Every address of an open list of ours is taken, no other is, and why is said."""
    lists = ("team@example.org", "old@example.org")
    async with listening(tmp_path, lists=lists) as socket, socket.client() as client:
        await socket.road.ask("list_close", CloseList(list="old@example.org"))
        await client.ask("MAIL FROM:<>")
        told = {each: await client.ask(f"RCPT TO:<{each}>") for each in RECIPIENTS}
        assert {each: reply[:9] for each, reply in told.items()} == RECIPIENTS


async def test_a_source_reaches_lists_of_its_domain_only(tmp_path: Path) -> None:
    """Two domains in one installation do not know each other's lists."""
    more = '[[domain]]\nname = "example.com"\n'
    lists = ("team@example.org", "team@example.com")
    settings = {"domain": '"example.com"'}
    async with (
        listening(tmp_path, more=more, lists=lists, **settings) as socket,
        socket.client() as client,
    ):
        await client.ask("MAIL FROM:<>")
        assert (await client.ask("RCPT TO:<team@example.org>")).startswith("550 5.1.1")
        assert (await client.ask("RCPT TO:<team@example.com>")).startswith("250")


async def test_a_list_is_known_at_once(tmp_path: Path) -> None:
    """A list that was created a moment ago is not refused."""
    async with listening(tmp_path, lists=()) as socket, socket.client() as client:
        await client.ask("MAIL FROM:<>")
        assert (await client.ask("RCPT TO:<new@example.org>")).startswith("550 5.1.1")
        await socket.road.make_list("new@example.org", [])
        assert (await client.ask("RCPT TO:<new@example.org>")).startswith("250")


async def test_a_script_may_say_all_at_once(tmp_path: Path) -> None:
    """A client that says everything it may, hangs up its end, and reads then, gets every reply."""
    async with listening(tmp_path) as socket, socket.client() as client:
        client.say("MAIL FROM:<>\r\nRCPT TO:<team@example.org>\r\nRSET\r\nNOOP\r\n")
        client.writer.write_eof()
        assert [(await client.reply())[:3] for _ in range(4)] == ["250"] * 4
        assert await client.ended()


async def test_a_source_for_one_list_takes_any_address(tmp_path: Path) -> None:
    """Whoever bound a socket to a list has other addresses delivered there."""
    settings = {"list": '"team@example.org"'}
    async with listening(tmp_path, **settings) as socket, socket.client() as client:
        assert (await client.send(TEXT, ["somebody@else.example"])).startswith("250 ")
