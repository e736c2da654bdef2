"""Pages of docs/operators followed until all is well: a relay and a source that fail, a login that
has expired, a mail that nobody can process. The books are those of the servers on both sides."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.embedded import access
from schemas import subjects
from tests.chaos.runbook import DO, operated
from tests.chaos.underway import MAILBOX
from tests.peers.process import free_port
from tests.peers.provider import Provider
from tests.peers.tokens import TokenServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


async def test_a_relay_fails(tmp_path: Path) -> None:
    """Who follows the page learns which step fails, mends the port, restarts as it says, and each
    post that waited goes to everybody once."""
    async with operated(tmp_path) as operator:
        here, config = operator.here, operator.here.ours.config
        right = config.read_text()
        wrong = right.replace(f"port = {here.sink.port}", f"port = {free_port()}")
        config.write_text(wrong)
        await operator.run("systemctl restart postroad")
        here.traffic.post()
        seen = await operator.says("relay out does not work")
        page = operator.lands("relay-failing", seen)
        said = await operator.follow(page, DO, blocks=[0])
        (doctor,) = (done.stdout for line, done in said.items() if " doctor " in line)
        assert re.search(r"failed +connection +relay out .*nothing listens", doctor), doctor
        (waits,) = (done.stdout for line, done in said.items() if " post ls " in line)
        assert "post 1" in waits
        config.write_text(right)
        said = await operator.follow(page, DO, blocks=[1])
        assert not any(done.returncode for done in said.values()), said
        assert (await here.traffic.arrived()).exact
        (post, *_) = await asyncio.to_thread(here.ours.json, "post", "ls", "--limit", "1")
        await operator.knows(page, {"ID": post["id"]})


async def test_the_login_has_expired(tmp_path: Path) -> None:
    """Where the provider takes back the consent, alarms of mailbox and relay lead to the page; soon
    after the login that it tells of all goes on without a restart, each copy once."""
    async with (
        TokenServer.start(user=MAILBOX) as tokens,
        operated(tmp_path, tokens=tokens) as operator,
    ):
        traffic, provider = operator.here.traffic, operator.here.sink
        assert isinstance(provider, Provider)
        tokens.expire()
        provider.hang_up()
        traffic.post()
        assert (await traffic.arrived()).exact
        tokens.revoke()
        provider.hang_up()
        traffic.post()
        words = "the login is no longer valid"
        relay = await operator.told("relay", words)
        await operator.here.dovecot.disconnect(MAILBOX)
        source = await operator.told("source", words)
        seen = await operator.says(words)
        page = operator.lands("token-expired", relay, source, seen)
        traffic.post()
        said = await operator.follow(page, DO, words={"gmail": "box"})
        assert words in said["postroad oauth ls"].stdout
        assert (await traffic.arrived()).exact
        await operator.knows(page)
        for alarm in ("source", "relay"):
            await operator.told(alarm, state="cleared")


async def test_a_source_fails(tmp_path: Path) -> None:
    """Where the password of the mailbox was changed the alarm leads to the page; the new one is
    tried at once, and mail that waited goes out once."""
    async with operated(tmp_path) as operator:
        here = operator.here
        password = tmp_path / "password"
        await operator.stop()
        password.write_text("old\n")
        await operator.start()
        here.traffic.post()
        notice = await operator.told("source", "the server refused the login")
        page = operator.lands("source-failing", notice, await operator.says("refused the login"))
        said = await operator.follow(page, DO, blocks=[0])
        (doctor,) = (done for line, done in said.items() if " doctor " in line)
        assert doctor.returncode == 1, doctor
        password.write_text("secret\n")
        assert (await here.traffic.arrived()).exact
        await operator.knows(page)
        await operator.told("source", state="cleared")


async def test_a_mail_that_nobody_can_process(tmp_path: Path) -> None:
    """What is no event is parked, told with its reason, and given up by the command of the page,
    while posts go on; who asks later learns why it was dropped."""
    async with operated(tmp_path) as operator:
        here = operator.here
        reach = access(here.ours.home / "state")
        assert reach is not None
        async with await Broker.connect(reach.url, name="test") as broker:
            await broker.publish(subjects.received("box", "f" * 32), b'{"v":1,"t":"no"}')
        here.traffic.post()
        notice = await operator.told("parked")
        page = operator.lands("poison-mail", notice, await operator.says("parked in DEADLETTER"))
        (parked,) = await asyncio.to_thread(here.ours.json, "deadletter", "ls")
        number = str(parked["seq"])
        words = {"1": number, "ID": "f" * 32}
        said = await operator.follow(page, DO, blocks=[0], words=words)
        assert "router" in said["postroad deadletter ls"].stdout
        assert "no event" in said[f"postroad deadletter show {number}"].stdout
        await operator.follow(page, DO, blocks=[2], words=words)
        assert (await here.traffic.arrived()).exact
        await operator.knows(page)
        assert await asyncio.to_thread(here.ours.json, "deadletter", "ls") == []
        await operator.told("parked", state="cleared")
