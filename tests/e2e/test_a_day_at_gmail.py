"""Two lists live in one Gmail mailbox for a day, by the `gmail` profile and OAuth2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.provider_audit import audit
from tests.e2e.provider_day import Day, living
from tests.e2e.provider_events import (
    LETTERS,
    a_connection_breaks,
    a_token_dies,
    first_post,
    members_join,
    members_leave,
    the_login_dies,
    the_minute_is_full,
    the_quota_is_used_up,
)
from tests.e2e.provider_people import List
from tests.peers.providerinbox import GMAIL as MAILBOX
from tests.peers.providerinbox import GMAIL_TAGS, Habits
from tests.peers.providerrules import GMAIL

ACCOUNT = "me@gmail.com"
TEAM, CREW = List("me+team@gmail.com", "+"), List("me+crew@gmail.com")
SETTINGS = f'profile = "gmail"\nuser = "{ACCOUNT}"\noauth2 = "OAUTH2 google"\n'


@pytest.mark.timeout(300)
@pytest.mark.parametrize("habits", [GMAIL_TAGS, MAILBOX], ids=["tags", "no-tags"])
async def test_lists_live_a_day_at_gmail(
    habits: Habits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People join, post, reply, post to two lists and leave; an address is dead; tokens die, the
    quota is used up and connections break: every copy comes once, whoever can mend it is told,
    and no member is blamed. Whether or not Gmail tells what followed the plus."""
    async with living(
        *(tmp_path, monkeypatch, GMAIL, habits, ACCOUNT),
        source=SETTINGS,
        relay=SETTINGS,
        domain="gmail.com",
    ) as day:
        await people_join(day)
        await people_write(day, bcc=habits is GMAIL_TAGS)
        await a_token_dies(day, TEAM)
        await limits_are_met(day)
        await the_login_dies(day, TEAM, 'an app in "testing" loses its login after 7 days')
        await audit(day, LETTERS, stopped=["nonmember-moderation"] * 2, unrouted=2)


async def people_join(day: Day) -> None:
    """A person logs in once; members come by the command line and by mail."""
    await day.alarmed("nobody has logged in yet; run: postroad oauth login gmail")
    await day.log_in("gmail")
    await day.well()
    await day.make_list(
        TEAM, day.ben.address, day.dan.address, display_name="Team", sub_address="plus"
    )
    await day.make_list(CREW, day.ben.address, ACCOUNT)
    await members_join(day, TEAM, away=True)


async def people_write(day: Day, *, bcc: bool) -> None:
    """Posts and answers; a vacation notice to one; a stranger, and somebody in his name; two
    members leave: by a copy's List-Unsubscribe, and by a signed mail to -leave."""
    first = await first_post(day, TEAM, ACCOUNT)
    fate = await day.fate(first)
    assert [bounce["address"] for bounce in fate["bounces"]] == [day.dan.address]
    day.send(day.zoe, day.zoe.vacation(day.zoe.copy(first), marked=True))
    answer = day.post(day.ben, TEAM, answer=day.ben.answer(day.ben.copy(first), everybody=True))
    both = day.post(day.ben, TEAM, CREW, also=[ACCOUNT])
    if bcc:
        day.post(day.ben, CREW, hidden=True)
    await day.quiet()
    assert day.eva.copy(answer)["In-Reply-To"] == day.eva.copy(first)["Message-ID"]
    await members_leave(day, TEAM, CREW, both)


async def limits_are_met(day: Day) -> None:
    """The day's quota is used up in the middle of a post: the rest comes tomorrow. Too many a
    minute, and a connection that breaks, are waited out by themselves."""
    says = "550 5.4.5 Daily user sending limit exceeded"
    await the_quota_is_used_up(day, says, TEAM, left=1)
    day.provider.change(daily=500)
    await the_minute_is_full(day, "421 4.7.0 Try again later", TEAM, day.ann)
    await a_connection_breaks(day, TEAM, after=1)
