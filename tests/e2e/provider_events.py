"""What happens on a day at every provider: members join and leave, tokens and logins die, limits
are met, connections break."""

from __future__ import annotations

import asyncio

from tests.e2e.provider_day import Day
from tests.e2e.provider_people import List, Person, ask
from tests.peers.sinkscript import Rule, Script

LETTERS = {  # what Postroad writes to people on such a day
    "ann": ["Please confirm:", "Welcome to"],
    "ben": ["Please confirm:", "You have"],
    "eva": ["Please confirm:", "Welcome to"],
    "zoe": ["Please confirm:", "Welcome to", "You have", "Please confirm:"],
    "sam": ["Your mail"],
}


async def members_join(day: Day, team: List, *, away: bool) -> None:
    """Ann, an owner too, Zoe and Eva join by mail, in whose stead a vacation program answers
    first, with its marks if `away`."""
    await day.command(
        "member", "add", team.address, day.ann.address, "--role", "owner", "--confirmed"
    )
    await asyncio.gather(day.join(day.ann, team), day.join(day.zoe, team))
    day.bounced += 1
    day.send(day.gus, ask(team.at("join")))  # a question that nobody gets
    await day.join(day.eva, team, away=away)


async def first_post(day: Day, team: List, sender: str) -> str:
    """Ann posts to all; her mark. Copies are From this address, and answers go to her."""
    mark = day.post(day.ann, team)
    await day.quiet()
    copy = day.ben.copy(mark)
    assert copy["From"] == f"Ann via Team <{sender}>"
    assert copy["Reply-To"] == "Ann <ann@alpha.example>"
    return mark


async def members_leave(day: Day, team: List, crew: List, mark: str) -> None:
    """Zoe leaves by the List-Unsubscribe of her copy, Ben by a signed mail to -leave; in between
    write the mailbox itself, a stranger, and somebody in his name."""
    await day.leave(day.zoe, team, mark)
    day.send(Person(day.ben.address, signs=False), ask(team.at("leave")))
    await day.ben.hears("Please confirm: leave")
    day.post(day.me, crew)
    day.write_to_owners(day.sam, team, day.ann)
    day.post(day.sam, team, stopped=True)
    day.post(day.tom, team, stopped=True)
    day.post(day.ann, team)
    await day.quiet()
    await day.leave(day.ben, crew)
    told = await day.sam.hears("Your mail to Team is waiting")
    assert team.at("join") in told.as_string()


async def a_token_dies(day: Day, team: List) -> None:
    """An access token dies before its time: nobody notices."""
    before = day.tokens.refreshes
    day.tokens.expire()
    await day.hang_up()
    day.post(day.eva, team)
    await day.quiet()
    assert day.tokens.refreshes > before


async def the_login_dies(day: Day, team: List, remedy: str) -> None:
    """A person is told in plain words; what was taken waits with us, and what was not waits unread
    at the provider. Logging in again is all there is to do."""
    name = day.provider.rules.name
    past = len(day.told)
    day.tokens.revoke()
    await day.hang_up(imap=False)
    day.post(day.ann, team)
    await day.alarmed(f"relay {name}", "invalid_grant", after=past)
    await day.hang_up()
    day.post(day.eva, team)
    why = await day.alarmed(f"source {name}", "invalid_grant", after=past)
    assert remedy in why
    assert await day.unread() == 1
    await day.log_in(name)
    await day.quiet()
    await day.well()
    cleared = [f"source {name} works again", f"relay {name} works again"]
    assert sorted(day.told[past + 2 :]) == sorted(cleared)


async def the_quota_is_used_up(day: Day, says: str, team: List, *, left: int) -> None:
    """The day's quota ends when so many of a post's copies are out: the rest, and what comes
    after, waits till tomorrow."""
    relay = f"relay {day.provider.rules.name}"
    past = len(day.told)
    day.provider.change(daily=day.provider.copies + left)
    mark = day.post(day.ben, team)
    await day.alarmed(relay, says, after=past)
    day.post(day.eva, team)
    day.send(day.zoe, ask(team.at("join")))
    fate = await day.fate(mark)
    assert (fate["accepted"], fate["waiting"], fate["failed"]) == (left, 4 - left, 0)
    day.provider.advance(hours=24)
    await day.alarmed(f"{relay} works again", after=past)
    await day.quiet()
    assert len(day.told) == past + 2


async def the_minute_is_full(day: Day, says: str, team: List, *authors: Person) -> None:
    """Too many a minute are waited out, and nobody is told."""
    past = len(day.told)
    usual = day.provider.rules.per_minute
    day.provider.advance(minutes=1)
    day.provider.change(per_minute=2)
    for author in authors:
        day.post(author, team)
    await day.refuses(says)
    # on a slow machine one post may take several messages: at two a minute the rest takes minutes
    day.provider.change(per_minute=usual)
    day.provider.advance(minutes=1)
    await day.quiet()
    assert len(day.told) == past


async def a_connection_breaks(day: Day, team: List, *, after: int) -> None:
    """In the middle of a mail, behind so many others: it is made anew, and nobody is told."""
    past = len(day.told)
    day.provider.tell(Script(rules=(Rule(at="data", after=after, times=1, close=True),)))
    day.post(day.ben, team)
    await day.quiet()
    await day.well()
    assert len(day.told) == past
