"""Two lists live in one Exchange Online mailbox for a day, by the `microsoft365` profile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.provider_day import Day, living
from tests.e2e.provider_people import List, Person, ask
from tests.peers.providerinbox import EXCHANGE
from tests.peers.providerrules import MICROSOFT
from tests.peers.sinkscript import Rule, Script

ACCOUNT = "team@contoso.com"
TEAM, CREW = List(ACCOUNT, "+"), List("team+crew@contoso.com")  # one is the mailbox itself
SETTINGS = f'profile = "microsoft365"\nuser = "{ACCOUNT}"\noauth2 = "OAUTH2 microsoft"\n'


@pytest.mark.timeout(180)
async def test_lists_live_a_day_at_microsoft365(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People join, post, reply, post to two lists and leave; an address is dead; tokens die, the
    minute and the day are full and connections break: every copy comes once, whoever can mend it
    is told, and no member is blamed. One list has the address of the mailbox itself, to which
    bounces and vacation notices come as well."""
    async with living(
        *(tmp_path, monkeypatch, MICROSOFT, EXCHANGE, ACCOUNT),
        source=SETTINGS,
        relay=SETTINGS,
        domain="contoso.com",
    ) as day:
        await people_join(day)
        await people_write(day)
        await a_token_dies(day)
        await limits_are_met(day)
        await the_login_dies(day)
        await day.audit(
            {
                "ann": ["Please confirm:", "Welcome to"],
                "ben": ["Please confirm:", "You have"],
                "eva": ["Please confirm:", "Did you", "Welcome to"],
                "zoe": ["Please confirm:", "Welcome to", "You have", "Please confirm:"],
                "sam": ["Your mail"],
            },
            stopped=["automatic", *["nonmember-moderation"] * 2],
        )


async def people_join(day: Day) -> None:
    """A person logs in once, by a code; members come by the command line and by mail."""
    await day.alarmed("nobody has logged in yet; run: postroad oauth login microsoft365")
    await day.log_in("microsoft365")
    await day.well()
    members = (day.ben.address, day.dan.address)
    await day.make_list(TEAM, *members, display_name="Team", sub_address="plus", personalize="none")
    await day.make_list(CREW, day.ben.address, ACCOUNT, personalize="none")
    await day.command(
        "member", "add", TEAM.address, day.ann.address, "--role", "owner", "--confirmed"
    )
    await asyncio.gather(day.join(day.ann, TEAM), day.join(day.zoe, TEAM))
    day.bounced += 1
    day.send(day.gus, ask(TEAM.at("join")))  # a question that nobody gets
    await day.join(day.eva, TEAM, away=False)
    day.provider.advance(minutes=1)


async def people_write(day: Day) -> None:
    """Posts and answers; a vacation notice to one; a stranger, and somebody in his name; a mail in
    Bcc to the mailbox; two members leave: by a copy's List-Unsubscribe, and by a signed mail to
    -leave."""
    first = day.post(day.ann, TEAM)
    await day.quiet()
    fate = await day.fate(first)
    assert len(fate["bounces"]) == 1
    copy = day.ben.copy(first)
    assert copy["From"] == "Ann via Team <team@contoso.com>"
    assert copy["Reply-To"] == "Ann <ann@alpha.example>"
    day.send(day.zoe, day.zoe.vacation(day.zoe.copy(first), marked=True))
    answer = day.post(day.ben, TEAM, answer=day.ben.answer(copy, everybody=True))
    both = day.post(day.ben, TEAM, CREW)
    day.post(day.ben, TEAM, hidden=True)
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
    assert "team+join@contoso.com" in told.as_string()


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
    at Microsoft. Logging in again is all there is to do."""
    past = len(day.told)
    day.tokens.revoke()
    await day.hang_up(imap=False)
    day.post(day.ann, TEAM)
    await day.alarmed("relay microsoft365", "invalid_grant", after=past)
    await day.hang_up()
    day.post(day.eva, TEAM)
    why = await day.alarmed("source microsoft365", "invalid_grant", after=past)
    assert "postroad oauth login microsoft365" in why
    assert await day.unread() == 1
    await day.log_in("microsoft365")
    await day.quiet()
    await day.well()
    assert len(day.told) == past + 4


async def limits_are_met(day: Day) -> None:
    """The minute is full, and passes by itself. The day's quota is used up: everybody waits till
    tomorrow. A connection that breaks is made anew."""
    past = len(day.told)
    day.provider.advance(minutes=1)
    day.provider.change(per_minute=2)
    marks = [day.post(who, TEAM) for who in (day.ann, day.ben, day.eva)]
    await day.refuses("421 4.4.2 Message submission rate")
    day.provider.advance(minutes=1)
    await day.quiet()
    assert len(day.told) == past
    assert all(day.ann.copy(mark) for mark in marks)

    day.provider.change(per_minute=30, daily=day.provider.copies)
    mark = day.post(day.ben, TEAM)
    why = await day.alarmed("relay microsoft365", "SubmissionQuotaExceeded", after=past)
    assert "554 5.2.0" in why
    day.post(day.eva, TEAM)
    day.send(day.zoe, ask(TEAM.at("join")))
    fate = await day.fate(mark)
    assert (fate["accepted"], fate["waiting"], fate["failed"]) == (0, 4, 0)
    day.provider.advance(hours=24)
    await day.alarmed("relay microsoft365 works again", after=past)
    await day.quiet()

    day.provider.tell(Script(rules=(Rule(at="data", times=1, close=True),)))
    day.post(day.ben, TEAM)
    await day.quiet()
    await day.well()
    assert len(day.told) == past + 2
