"""A list's own texts of letters, asked of the real service and found in what it sends."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import msgspec

from postroad.runtime.blobs import get_raw
from postroad.runtime.broker import Broker
from schemas.commands import ChangeMember, ConfigureList, ListHistory, RosterPage, Subscribe
from schemas.road import ChunkQueued
from schemas.templates import ListLetters, PreviewLetter, SetLetter
from tests.broker import requests
from tests.broker.membership import LIST, membership, settings
from tests.broker.requests import ANNA, PROVED, Post, mail_of

HELLO = "Subject: Hello from {name}\n\nGood to have you, {address}."


async def sent(broker: Broker) -> list[EmailMessage]:
    """Every letter that is queued."""
    found = []
    async for stored in broker.scan("SEND", "mail.send.>"):
        (chunk,) = stored.envelope().events
        assert isinstance(chunk, ChunkQueued)
        data = await get_raw(broker, chunk.copy.raw)
        found.append(email.message_from_bytes(data, policy=email.policy.default))
    return found


async def test_a_list_has_a_welcome_of_its_own(broker: Broker, tmp_path: Path) -> None:
    """Set, it is shown, previewed and sent, in the history with who did it; reset, ours is again.
    What cannot be is refused by name; the site's folder counts where the list has nothing."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "goodbye.txt").write_text("Farewell from all of us.")
    config = settings(tmp_path)
    site = msgspec.structs.replace(config.site, letters_dir=tmp_path / "letters")
    config = msgspec.structs.replace(config, site=site)
    async with membership(broker, config) as service:
        await service.create()
        for text, why in (("Hi {nmae}", "did you mean {name}?"), ("Subject: Hi", "no text")):
            wrong = await service.ask(SetLetter(list=LIST, letter="welcome", text=text))
            assert (wrong.code, why in wrong.refused) == ("bad_setting", True)
        change = SetLetter(list=LIST, letter="list:user:notice:welcome", text=HELLO, by="carol")
        assert [(await service.ask(change)).changed for _ in range(2)] == [1, 0]
        german = SetLetter(list=LIST, letter="goodbye", language="de", text="Tschüss!")
        assert (await service.ask(german)).changed == 1
        rows = {row.name: row for row in (await service.ask(ListLetters(list=LIST))).letters}
        assert (rows["welcome"].source, rows["welcome"].own) == ("list", ("",))
        (row,) = (await service.ask(ListLetters(list=LIST, letter="welcome"))).letters
        assert (row.text, row.mailman) == (HELLO, "list:user:notice:welcome")
        assert (rows["goodbye"].source, rows["goodbye"].own) == ("site", ("de",))
        assert rows["echo"].source == "built in"

        await service.ask(Subscribe(list=LIST, address="ann@example.net", welcome=True))
        (mail,) = await sent(broker)
        assert mail["Subject"] == "Hello from Team"
        assert "Good to have you, ann@example.net." in str(mail)

        for asked in (
            ConfigureList(list=LIST, settings={"preferred_language": "DE"}),
            SetLetter(list=LIST, letter="welcome", language="dee", text="Hallo"),
        ):
            wrong = await service.ask(asked)
            assert (wrong.code, "did you mean 'de'?" in wrong.refused) == ("bad_setting", True)
        preferring = ConfigureList(list=LIST, settings={"preferred_language": "de"})
        assert not (await service.ask(preferring)).refused
        preview = PreviewLetter(list=LIST, letter="goodbye")
        shown = (await service.ask(preview)).letter
        assert shown is not None
        assert (shown.language, shown.source) == ("de", "list")
        assert shown.subject == "Austritt aus Team"
        assert "Tschüss!\n\n-- \nTeam, eine Mailingliste" in shown.plain
        instead = msgspec.structs.replace(
            preview, letter="welcome", language="en", text="Yo {list}"
        )
        shown = (await service.ask(instead)).letter
        assert shown is not None
        assert shown.plain.startswith(f"Yo {LIST}\n")
        assert (await service.ask(SetLetter(list=LIST, letter="welcome"))).changed == 1
        (row,) = (await service.ask(ListLetters(list=LIST, letter="welcome"))).letters
        assert (row.source, row.language) == ("built in", "de")
        told = [row for row in (await service.ask(ListHistory(list=LIST))).history if row.changes]
    first = next(row for row in told if row.event == "list_letter_set")
    assert first.changes == (("letter welcome", "", HELLO),)
    assert first.by == "carol at the command line"
    assert len(await sent(broker)) == 1  # no preview among them


async def test_a_member_reads_their_own_language(broker: Broker, tmp_path: Path) -> None:
    """Whatever the list prefers; from the question whether they want to leave to the goodbye,
    when they are on it no more."""
    async with membership(broker, requests.settings(tmp_path)) as service:
        await service.create()
        await service.add(ANNA)
        post = Post(broker)
        _, (unknown,) = await post.ask("request", mail_of("set language fr", **PROVED))
        assert "\n    de\n    en\n" in unknown.text
        _, (told,) = await post.ask("request", mail_of("set language DE", **PROVED))
        assert told.mail["Subject"] == "Die Mails von Team"
        _, (asked,) = await post.ask("request", mail_of("set language en"))
        assert "in einer anderen Sprache" in " ".join(asked.text.split())
        _, (told,) = await post.ask("confirm", token=asked.token)
        assert told.mail["Subject"] == "Your letters from Team"
        change = ChangeMember(list=LIST, address=ANNA, preferred_language="dee")
        assert "did you mean 'de'?" in (await service.ask(change)).refused
        change = msgspec.structs.replace(change, preferred_language="de")
        assert [(await service.ask(change)).changed for _ in range(2)] == [1, 0]
        (row,) = (await service.ask(RosterPage(list=LIST))).rows
        assert row.preferred_language == "de"
        _, (question,) = await post.ask("leave")
        assert question.mail["Subject"] == f"Bitte bestätigen: Austritt aus {LIST}"
        _, (goodbye,) = await post.ask("confirm", token=question.token)
        assert goodbye.mail["Subject"] == "Austritt aus Team"
