"""`daily`: so many recipients in any 24 hours and never one more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.sending import providing, routing
from tests.e2e.system import until
from tests.peers.providerrules import GMAIL


@pytest.mark.parametrize("personal", [True, False])
async def test_our_own_daily_limit_is_never_exceeded(personal: bool, tmp_path: Path) -> None:
    """With `daily` we stop of ourselves, in the middle of a window, at exactly so many
    recipients; the status says until when; a restart forgets nothing; more room is used."""
    limit = {"daily": "25", "recipients_per_transaction": "10"}
    async with providing(tmp_path, GMAIL, relay=limit) as here:
        first = await here.queue(await here.post(1), 0, 40, personal=personal)
        second = await here.queue(await here.post(2), 1, 5, personal=personal)
        await here.told("daily limit of 25 reached; goes on at ")
        assert here.provider.copies == 25
        await here.alarmed("daily limit")
        await here.road.kill("sender")
        await here.road.run("sender")
        await here.told("daily limit of 25 reached; goes on at ")
        assert here.provider.copies == 25
        assert len(await here.alarmed("daily limit")) == 1  # a restart tells nobody again
        await here.change("daily = 25", "daily = 60")
        await here.finished(2)
        here.exact(first, second)
        assert not here.provider.refused
        await here.nobody_failed()


async def test_a_crash_in_mid_window_forgets_nothing(tmp_path: Path) -> None:
    """What a killed sender may have sent counts as sent: there is no recipient too many, rather
    a few too few."""
    async with providing(tmp_path, GMAIL, relay={"daily": "25", "window": "16"}) as here:
        await here.road.kill("sender")
        await here.road.run("sender", crashpoint="sender.after_dot:7")
        await here.queue(await here.post(1), 0, 40)
        await here.road.died("sender")
        before = here.provider.copies
        assert 0 < before < 25
        await here.road.run("sender")
        await here.told("daily limit of 25 reached; goes on at ")
        assert before < here.provider.copies <= 25
        assert not here.provider.refused


async def test_small_posts_that_wait_for_tomorrow_wait_in_the_broker(tmp_path: Path) -> None:
    """Where there is another relay they are not in hand, of which there may be only so many: the
    posts of everybody else go on behind any number of them."""
    limited = {"daily": "1", "domains": '["limited.example"]'}
    async with routing(tmp_path, {"main": {}, "limited": limited}) as here:
        ref = await here.post(1)
        for chunk in range(3):
            await here.queue(ref, chunk, 1, lane="now", domains=("limited.example",))
        await until(here.road.retries, "some are scheduled")
        other = await here.queue(ref, 9, 3, lane="now")
        await here.arrived([*here.got("limited"), *other])
        assert len(here.got("limited")) == 1
