"""How a relay knows us: by token or password, and what happens when it does not any more."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from postroad.runtime.config import Config
from tests.e2e.sending import providing
from tests.peers.providerrules import GMAIL, MICROSOFT
from tests.peers.tokens import TokenServer, log_in

ACCOUNT = "lists@example.org"


async def test_tokens(tmp_path: Path) -> None:
    """We log in by token; one that was turned down is replaced at once; when there is none any
    more all wait, somebody is told, and soon after a new login all goes out."""
    async with TokenServer.start(user=ACCOUNT) as tokens:
        relay = {"oauth2": tokens.oauth2("google")}
        async with providing(
            tmp_path, GMAIL, relay=relay, tokens=tokens.valid, password=None
        ) as here:
            config = Config.load(here.road.config, os.environ)
            log_in(config, tokens, ACCOUNT)
            first = await here.queue(await here.post(1), 0, 3)
            await here.finished(1)
            tokens.expire()
            here.provider.hang_up()
            second = await here.queue(await here.post(2), 1, 3)
            await here.finished(2)
            assert here.provider.logins == 2
            tokens.revoke()
            here.provider.hang_up()
            third = await here.queue(await here.post(3), 2, 3)
            await here.told("cannot be logged in to")
            await here.alarmed("cannot be logged in to")
            assert here.provider.copies == 6
            log_in(config, tokens, ACCOUNT)
            await here.finished(3)
            await here.well()
            here.exact(first, second, third)
            await here.nobody_failed()
            log = here.road.log("sender")
            assert "access-" not in log
            assert "@" not in log
            assert len(await here.alarmed("relay out works again")) == 2


async def test_smtp_auth_switched_off(tmp_path: Path) -> None:
    """Where only an administrator can help, the line says what to switch on."""
    refusal = (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Tenant."
    )
    rules = dataclasses.replace(MICROSOFT, bad_login=refusal)
    async with providing(tmp_path, rules) as here:
        here.provider.password = "another"
        await here.queue(await here.post(1), 0, 3)
        await here.told("allow SMTP AUTH for this mailbox at Microsoft")
        await here.nobody_failed()
