"""Two lists live in one Gmail mailbox for a day, by the `gmail` profile and OAuth2."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.provider_day import Day, living
from tests.e2e.provider_people import List, Person, ask
from tests.peers.providerinbox import GMAIL as MAILBOX
from tests.peers.providerinbox import GMAIL_TAGS, Habits
from tests.peers.providerrules import GMAIL
from tests.peers.sinkscript import Rule, Script

ACCOUNT = "me@gmail.com"
TEAM, CREW = List("me+team@gmail.com", "+"), List("me+crew@gmail.com")
SETTINGS = f'profile = "gmail"\nuser = "{ACCOUNT}"\noauth2 = "OAUTH2 google"\n'


@pytest.mark.timeout(180)
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
        await a_token_dies(day)
        await limits_are_met(day)
        await the_login_dies(day)
        await day.audit(
            {
                "ann": ["Please confirm:", "Welcome to"],
                "ben": ["Please confirm:", "You have"],
                "eva": ["Please confirm:", "Welcome to"],
                "zoe": ["Please confirm:", "Welcome to", "You have", "Please confirm:"],
                "sam": ["Your mail"],
            },
            stopped=["nonmember-moderation"] * 2,
            unrouted=2,
        )


async def people_join(day: Day) -> None:
    """A person logs in once; members come by the command line and by mail."""
    await day.alarmed("nobody has logged in yet; run: postroad oauth login gmail")
    await day.log_in("gmail")
    await day.well()
    await day.make_list(
        TEAM, day.ben.address, day.dan.address, display_name="Team", sub_address="plus"
    )
    await day.make_list(CREW, day.ben.address, ACCOUNT)
    await day.command(
        "member", "add", TEAM.address, day.ann.address, "--role", "owner", "--confirmed"
    )
    await asyncio.gather(day.join(day.ann, TEAM), day.join(day.zoe, TEAM))
    day.bounced += 1
    day.send(day.gus, ask(TEAM.at("join")))  # a question that nobody gets
    await day.join(day.eva, TEAM, away=True)


async def people_write(day: Day, *, bcc: bool) -> None:
    """Posts and answers; a vacation notice to one; a stranger, and somebody in his name; two
    members leave: by a copy's List-Unsubscribe, and by a signed mail to -leave."""
    first = day.post(day.ann, TEAM)
    await day.quiet()
    fate = await day.fate(first)
    assert [bounce["address"] for bounce in fate["bounces"]] == [day.dan.address]
    copy = day.ben.copy(first)
    assert copy["From"] == "Ann via Team <me@gmail.com>"
    assert copy["Reply-To"] == "Ann <ann@alpha.example>"
    day.send(day.zoe, day.zoe.vacation(day.zoe.copy(first), marked=True))
    answer = day.post(day.ben, TEAM, answer=day.ben.answer(copy, everybody=True))
    both = day.post(day.ben, TEAM, CREW, also=[ACCOUNT])
    if bcc:
        day.post(day.ben, CREW, hidden=True)
    await day.quiet()
    assert day.eva.copy(answer)["In-Reply-To"] == day.eva.copy(first)["Message-ID"]
    await day.leave(day.zoe, TEAM, both)
    day.send(Person(day.ben.address, signs=False), ask(TEAM.at("leave")))
    await day.ben.hears("Please confirm: leave")
    day.post(day.me, CREW)
    day.write_to_owners(day.sam, TEAM, day.ann)
    day.post(day.sam, TEAM, stopped=True)
    day.post(day.tom, TEAM, stopped=True)
    day.post(day.ann, TEAM)
    await day.quiet()
    await day.leave(day.ben, CREW)
    told = await day.sam.hears("Your mail to Team is waiting")
    assert "me+team+join@gmail.com" in told.as_string()


async def a_token_dies(day: Day) -> None:
    """An access token dies before its time: nobody notices."""
    before = day.tokens.refreshes
    day.tokens.expire()
    await day.hang_up()
    day.post(day.eva, TEAM)
    await day.quiet()
    assert day.tokens.refreshes > before


async def the_login_dies(day: Day) -> None:
    """A person is told in plain words; what was taken waits with us, and what was not waits unread
    at Gmail. Logging in again is all there is to do."""
    past = len(day.told)
    day.tokens.revoke()
    await day.hang_up(imap=False)
    day.post(day.ann, TEAM)
    await day.alarmed("relay gmail", "invalid_grant", after=past)
    await day.hang_up()
    day.post(day.eva, TEAM)
    why = await day.alarmed("source gmail", "invalid_grant", after=past)
    assert 'an app in "testing" loses its login after 7 days' in why
    assert await day.unread() == 1
    await day.log_in("gmail")
    await day.quiet()
    await day.well()
    cleared = ["source gmail works again", "relay gmail works again"]
    assert sorted(day.told[past:][2:]) == sorted(cleared)


async def limits_are_met(day: Day) -> None:
    """The day's quota is used up in the middle of a post: the rest comes tomorrow. Too many a
    minute, and a connection that breaks, are waited out by themselves."""
    past = len(day.told)
    day.provider.change(daily=day.provider.copies + 1)
    mark = day.post(day.ben, TEAM)
    await day.alarmed("relay gmail", "550 5.4.5 Daily user sending limit exceeded", after=past)
    day.post(day.eva, TEAM)
    day.send(day.zoe, ask(TEAM.at("join")))
    fate = await day.fate(mark)
    assert (fate["accepted"], fate["waiting"], fate["failed"]) == (1, 3, 0)
    day.provider.advance(hours=24)
    await day.alarmed("relay gmail works again", after=past)
    await day.quiet()
    assert len(day.told) == past + 2

    day.provider.change(daily=500, per_minute=2)
    day.provider.advance(minutes=1)
    day.post(day.ann, TEAM)
    await day.refuses("421 4.7.0 Try again later")
    day.provider.advance(minutes=1)
    await day.quiet()
    day.provider.change(per_minute=0)
    day.provider.tell(Script(rules=(Rule(at="data", after=1, times=1, close=True),)))
    day.post(day.ben, TEAM)
    await day.quiet()
    await day.well()
    assert len(day.told) == past + 2
