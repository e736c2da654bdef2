"""What a relay takes in a day or a minute, or not at all: all wait, nobody is lost or blamed."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from tests.e2e.sending import providing
from tests.e2e.system import until
from tests.peers.providerrules import GMAIL, MICROSOFT, POSTFIX, SES, Rules
from tests.peers.sink import Rule, Script

OURS = frozenset({"example.org"})


@pytest.mark.parametrize(
    ("rules", "personal"),
    [(GMAIL, True), (GMAIL, False), (MICROSOFT, True), (SES, True)],
    ids=["gmail", "gmail-shared", "microsoft365", "ses"],
)
async def test_a_quota_met_in_mid_window(rules: Rules, personal: bool, tmp_path: Path) -> None:
    """The provider's own quota stops a post half-way: the rest waits, the status quotes the
    refusal, somebody is told once however often it is tried, and the next day the rest goes out."""
    rules = dataclasses.replace(rules, per_minute=0, daily=25)
    quiet = {"daily": "0", "recipients_per_transaction": "10"}
    async with providing(tmp_path, rules, relay=quiet, identities=OURS) as here:
        everyone = await here.queue(await here.post(1), 0, 40, personal=personal)
        words = {"gmail": "5.4.5", "microsoft365": "SubmissionQuota", "ses": "Daily message quota"}
        await here.told(words[rules.name])
        refusals = len(here.provider.refused)

        async def tried_again() -> bool:
            return len(here.provider.refused) >= refusals + 2

        await until(tried_again, "the relay is tried again")
        await here.nobody_failed()
        assert here.provider.copies <= 25
        here.provider.advance(hours=24)
        await here.finished(1)
        await here.well()
        await here.nobody_failed()
        here.exact(everyone)
        lines = await here.alarmed("relay out works again")
        assert len(lines) == 2, lines


async def test_too_many_a_minute(tmp_path: Path) -> None:
    """A rate limit pauses the relay and nothing more; when it allows more, the rest goes out."""
    rules = dataclasses.replace(MICROSOFT, per_minute=12)
    async with providing(tmp_path, rules) as here:
        everyone = await here.queue(await here.post(1), 0, 30)
        await here.told("submission rate")
        here.provider.change(per_minute=0)
        await here.finished(1)
        await here.nobody_failed()
        here.exact(everyone)


async def test_refused_in_between(tmp_path: Path) -> None:
    """Whom the relay had no room for while it took those behind is tried again within seconds, not
    as late as somebody greylisted; and a relay that took what came last is well."""
    throttled = "454 4.3.0 Throttling failure: Maximum sending rate exceeded."
    async with providing(tmp_path, POSTFIX, relay={"connections": "1"}) as here:
        here.provider.tell(Script(rules=(Rule(at="mail", after=2, times=3, reply=throttled),)))
        everyone = await here.queue(await here.post(1), 0, 10)
        await here.finished(2)
        await here.well()
        await here.nobody_failed()
        here.exact(everyone)


async def test_more_connections_than_allowed(tmp_path: Path) -> None:
    """Four lanes where three are allowed: the fourth is turned away, nobody is blamed."""
    rules = dataclasses.replace(MICROSOFT, per_minute=0)
    async with providing(
        tmp_path, rules, relay={"connections": "8", "retry_after": '"1s"'}
    ) as here:
        ref = await here.post(1)
        chunks = [await here.queue(ref, number, 30) for number in range(12)]

        async def all_sent() -> bool:
            return here.provider.copies >= 360 and await here.road.idle()

        await until(all_sent, "all are sent")
        await here.nobody_failed()
        here.exact([who for chunk in chunks for who in chunk])


async def test_greylisting_of_a_relay(tmp_path: Path) -> None:
    """A Postfix that greylists is a recipient's delay, its anvil the relay's: both pass."""
    script = Script(
        rules=(
            Rule(at="rcpt", per="subject", times=1, reply="450 4.7.1 Greylisted, try later"),
            Rule(at="mail", times=3, reply="450 4.7.1 Error: too much mail from 127.0.0.1"),
        )
    )
    async with providing(tmp_path, POSTFIX, relay={"retry_after": '"1s"'}) as here:
        here.provider.tell(script)
        everyone = await here.queue(await here.post(1), 0, 8)
        await here.finished(2)
        here.exact(everyone)


async def test_a_server_that_never_greets(tmp_path: Path) -> None:
    """A relay that takes connections and says nothing is told within ten seconds or so."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with providing(tmp_path, POSTFIX) as here:
        await here.change(f"port = {here.provider.port}", f"port = {port}")
        await here.queue(await here.post(1), 0, 2)
        await here.told("has not answered for 8 s")
        await here.road.kill("sender")
    silent.close()


async def test_a_null_sender_refused(tmp_path: Path) -> None:
    """A relay that takes no null sender, and of which the settings do not say so, is told with
    the setting that mends it."""
    settings = {"null_sender": "true"}
    async with providing(tmp_path, SES, relay=settings, identities=OURS) as here:
        ref = await here.post(1)
        (to,) = await here.queue(ref, 0, 1, lane="now", notice=True, bounces=("", ""))
        await here.told("set null_sender = false")
        await here.nobody_failed()
        await here.change("null_sender = true", "null_sender = false")
        await here.finished(1)
        here.exact([to])
