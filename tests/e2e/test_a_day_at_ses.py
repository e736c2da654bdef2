"""Two lists of a domain live a day behind Amazon SES, their mailbox on a server of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.provider_audit import audit
from tests.e2e.provider_day import PASSWORD, Day, living
from tests.e2e.provider_events import (
    LETTERS,
    a_connection_breaks,
    first_post,
    members_join,
    members_leave,
    the_minute_is_full,
    the_quota_is_used_up,
)
from tests.e2e.provider_people import List
from tests.peers.providerinbox import OWN
from tests.peers.providerrules import SES

ACCOUNT = "lists@example.org"
DOMAIN = "lists.example.org"
TEAM, CREW = List(f"team@{DOMAIN}"), List(f"crew@{DOMAIN}")
KEY = "AKIAIOSFODNN7EXAMPLE"
SOURCE = f"""user = "{ACCOUNT}"
password_file = "mail.pass"
recipient_headers = ["Delivered-To"]
authserv_id = "mail.example.org"
"""
RELAY = f'profile = "ses"\nuser = "{KEY}"\npassword_file = "ses.pass"\ndaily = 50000\n'


@pytest.mark.timeout(300)
async def test_lists_live_a_day_at_ses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People join, post, reply, post to two lists and leave; an address is dead; credentials
    expire, quotas are used up, SES's and that of our settings, and connections break: every copy
    comes once though SES writes Message-IDs anew, whoever can mend it is told, and no member is
    blamed."""
    new_password(tmp_path, PASSWORD)
    async with living(
        *(tmp_path, monkeypatch, SES, OWN, ACCOUNT),
        source=SOURCE,
        relay=RELAY,
        relay_user=KEY,
        domain=DOMAIN,
        identities=frozenset({DOMAIN}),
    ) as day:
        await people_join(day)
        await people_write(day)
        await credentials_expire(day)
        await limits_are_met(day)
        await audit(day, LETTERS, stopped=[*["loop"] * 4, *["nonmember-moderation"] * 2], unknown=1)


def new_password(home: Path, password: str) -> None:
    """Write down the relay's password."""
    secret = home / "ses.pass"
    secret.write_text(f"{password}\n")
    secret.chmod(0o600)


async def people_join(day: Day) -> None:
    """Members come by the command line and by mail; the lists' own mailbox is a member too."""
    await day.well()
    await day.make_list(TEAM, day.ben.address, day.dan.address, display_name="Team")
    await day.make_list(CREW, day.ben.address, ACCOUNT)
    await members_join(day, TEAM, away=True)


async def people_write(day: Day) -> None:
    """Posts, and answers to the Message-ID that SES made up; a stranger, and somebody in his
    name; two members leave: by a copy's List-Unsubscribe, and by a signed mail to -leave."""
    first = await first_post(day, TEAM, TEAM.address)
    fate = await day.fate(first)
    assert [bounce["address"] for bounce in fate["bounces"]] == [day.dan.address]
    copy = day.ben.copy(first)
    assert copy["Message-ID"].endswith("amazonses.com>")
    answer = day.post(day.ben, TEAM, answer=day.ben.answer(copy, everybody=True))
    both = day.post(day.ben, TEAM, CREW)
    day.post(day.ben, CREW, hidden=True)
    await day.quiet()
    known = f"{day.eva.copy(first)['References']} {day.eva.copy(first)['Message-ID']}".split()
    assert set(known) & set(day.eva.copy(answer)["References"].split())
    await members_leave(day, TEAM, CREW, both)


async def credentials_expire(day: Day) -> None:
    """The relay's password is void: a person is told, everybody waits; a new one in the file is
    enough. A mailbox that is away is waited out, and mail stays there."""
    past = len(day.told)
    day.provider.password = "another"
    await day.hang_up(imap=False)
    mark = day.post(day.ann, TEAM)
    why = await day.alarmed("relay ses", "535 Authentication Credentials Invalid", after=past)
    assert "password_file" in why
    fate = await day.fate(mark)
    assert (fate["accepted"], fate["waiting"], fate["failed"]) == (0, 4, 0)
    new_password(day.road.home, "another")
    await day.quiet()
    await day.well()
    assert day.told[past + 1 :] == ["relay ses works again"]


async def limits_are_met(day: Day) -> None:
    """SES's quota is used up in the middle of a post, then the one in the settings: the rest waits
    till SES takes more, till the operator says that it does. Too many a second, and a connection
    that breaks, are waited out."""
    says = "454 Throttling failure: Daily message quota"
    await the_quota_is_used_up(day, says, TEAM, left=1)
    day.provider.change(daily=50_000)

    past = len(day.told)
    await granted(day, day.provider.copies + 2)
    mark = day.post(day.ann, TEAM)
    await day.alarmed("relay ses", "daily limit of", "reached; goes on at", after=past)
    fate = await day.fate(mark)
    assert (fate["accepted"], fate["waiting"], fate["failed"]) == (2, 2, 0)
    await granted(day, 60_000)
    await day.quiet()

    says = "454 Throttling failure: Maximum sending rate exceeded"
    await the_minute_is_full(day, says, TEAM, day.ann)
    await a_connection_breaks(day, TEAM, after=1)


async def granted(day: Day, copies: int) -> None:
    """The operator writes another `daily` into the settings, and starts the sender again."""
    config = day.road.config
    lines = config.read_text().splitlines()
    lines = [f"daily = {copies}" if line.startswith("daily") else line for line in lines]
    config.write_text("\n".join(lines))
    await day.road.kill("sender")
    await day.road.run("sender")
    await day.road.ready()
