"""Two lists live in one Exchange Online mailbox for a day, by the `microsoft365` profile."""

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
from tests.peers.providerinbox import EXCHANGE
from tests.peers.providerrules import MICROSOFT

ACCOUNT = "team@contoso.com"
TEAM, CREW = List(ACCOUNT, "+"), List("team+crew@contoso.com")  # one is the mailbox itself
SETTINGS = f'profile = "microsoft365"\nuser = "{ACCOUNT}"\noauth2 = "OAUTH2 microsoft"\n'


@pytest.mark.timeout(300)
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
        await a_token_dies(day, TEAM)
        await limits_are_met(day)
        await the_login_dies(day, TEAM, "postroad oauth login microsoft365")
        await audit(
            day,
            {**LETTERS, "eva": ["Please confirm:", "Did you", "Welcome to"]},
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
    await members_join(day, TEAM, away=False)
    day.provider.advance(minutes=1)


async def people_write(day: Day) -> None:
    """Posts and answers; a vacation notice to one; a stranger, and somebody in his name; a mail in
    Bcc to the mailbox; two members leave: by a copy's List-Unsubscribe, and by a signed mail to
    -leave."""
    first = await first_post(day, TEAM, ACCOUNT)
    fate = await day.fate(first)
    assert len(fate["bounces"]) == 1
    day.send(day.zoe, day.zoe.vacation(day.zoe.copy(first), marked=True))
    answer = day.post(day.ben, TEAM, answer=day.ben.answer(day.ben.copy(first), everybody=True))
    both = day.post(day.ben, TEAM, CREW)
    day.post(day.ben, TEAM, hidden=True)
    await day.quiet()
    assert day.eva.copy(answer)["In-Reply-To"] == day.eva.copy(first)["Message-ID"]
    await members_leave(day, TEAM, CREW, both)


async def limits_are_met(day: Day) -> None:
    """The minute is full, and passes by itself. The day's quota is used up: everybody waits till
    tomorrow. A connection that breaks is made anew."""
    says = "421 4.4.2 Message submission rate"
    await the_minute_is_full(day, says, TEAM, day.ann, day.ben, day.eva)
    says = "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceeded"
    await the_quota_is_used_up(day, says, TEAM, left=0)
    await a_connection_breaks(day, TEAM, after=0)
