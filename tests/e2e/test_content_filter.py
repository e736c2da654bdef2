"""Members of a list that filters content get the text, not the attachments."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from tests.e2e.system import World, mail, world

LIST = "team@example.org"
MEMBERS = ["anna@example.net", "bob@one.example"]


def with_attachments(number: int) -> EmailMessage:
    """A mail of text, its HTML, a program and a picture."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = "Ann <ann@example.net>", LIST
    message["Subject"], message["Message-ID"] = f"Post {number}", f"<{number}@example.net>"
    message.set_content("Grüße an alle\n", cte="8bit")
    message.add_alternative("<p>Grüße <b>an alle</b></p>", subtype="html")
    message.add_attachment(b"MZ", maintype="application", subtype="x-dosexec", filename="game.exe")
    message.add_attachment(bytes(range(256)), maintype="image", subtype="png", filename="a.png")
    return message


async def copies(here: World, count: int) -> list[EmailMessage]:
    """What the members got, after so many copies have come."""
    await here.sink.wait_for(count)
    return [parsed(record.file) for record in here.sink.records()]


def parsed(file: str) -> EmailMessage:
    """A copy as a mail program reads it."""
    return email.message_from_bytes(Path(file).read_bytes(), policy=email.policy.default)


def words(part: MIMEPart) -> str:
    """A text, with bare line ends."""
    return str(part.get_content()).replace("\r\n", "\n")


async def test_members_get_the_text_without_the_attachments(tmp_path: Path) -> None:
    """What passes is as it was, and the list's footer stands below it; a mail of which nothing is
    left, or that cannot be taken apart in time, waits, and the next one is delivered."""
    async with world(tmp_path, keep=True) as here:
        road = here.road
        await road.make_list(LIST, MEMBERS, max_days_to_hold="0")
        settings = ("filter_content=true", "pass_types=text image/*", r"footer=-- \nOur list")
        done = await road.cli("list", "set", LIST, *settings)
        assert done.code == 0, done.err
        here.post(with_attachments(1).as_bytes())
        for copy in await copies(here, 2):
            assert copy["Subject"] == "[Team] Post 1"
            assert copy["X-Content-Filtered-By"] == "Postroad"
            text, picture, footer = copy.iter_parts()
            assert text.get_content_type() == "text/plain"
            assert words(text) == "Grüße an alle\n"
            assert picture.get_content() == bytes(range(256))
            assert words(footer).endswith("Our list")

        done = await road.cli("list", "set", LIST, "pass_types=text/plain")
        assert done.code == 0, done.err
        here.post(with_attachments(2).as_bytes())
        for copy in (await copies(here, 4))[2:]:
            assert copy.get_content_type() == "text/plain"
            assert words(copy) == "Grüße an alle\n\n-- \nOur list\n"

        done = await road.cli(
            "list", "set", LIST, "pass_types=text", "convert_html_to_plaintext=true"
        )
        assert done.code == 0, done.err
        bomb = b"Content-Type: text/html\r\nSubject:"
        here.post(mail(3, body="<!--" * 60_000).replace(b"Subject:", bomb))
        here.post(with_attachments(4).as_bytes())
        await copies(here, 6)
        await road.settled(4)
        (held,) = (await road.cli("held", "ls", LIST, "--json")).json
        assert "takes more than" in str(held)
        assert len(here.sink.records()) == 6
