"""`postroad member erase`, as whoever types it meets it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from postroad.cli import erase as cli
from postroad.cli.frame import Call
from postroad.runtime.broker import Broker
from schemas import subjects
from schemas.addresses import ChangeAddress
from schemas.commands import Answer, EraseMember
from schemas.erasure import Erased
from tests.broker.membership import LIST, membership
from tests.broker.requests import settings

OLD, NEW = "ann@old.example", "ann@new.example"


@pytest.fixture
def typed(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Call:
    """A command that finds this broker."""

    @contextlib.asynccontextmanager
    async def road(_: object) -> AsyncIterator[Broker]:
        yield broker

    monkeypatch.setattr("postroad.cli.road.road", road)
    monkeypatch.setattr(Call, "config", None)
    return Call(json=True)


async def test_of_a_given_up_address_the_person_is_not_erased(
    broker: Broker, tmp_path: Path, typed: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command fails, and says which address to give."""
    async with membership(broker, settings(tmp_path)) as service:
        await service.create()
        await service.add(OLD)
        await service.ask(ChangeAddress(verb="move", own=OLD, address=NEW, confirmed=True))
        capsys.readouterr()
        assert await cli.erase(typed, OLD, yes=True) == 1
        told = capsys.readouterr()
        assert json.loads(told.out)["erased"] is False
        assert f"{OLD} was given up: the person is not erased; give {NEW}" in told.err
        assert await cli.erase(typed, NEW, yes=True) == 0


async def test_an_answer_that_was_lost_is_asked_for_again(
    broker: Broker, typed: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Membership died behind the erasure: the second answer has nothing left to tell, the command
    tells what was planned."""
    found = Erased(known=True, addresses=(OLD,), lists=(LIST,), questions=2)
    heard: list[EraseMember] = []

    async def answer(message: Msg) -> None:
        ask = msgspec.json.decode(message.data, type=EraseMember)
        heard.append(ask)
        if ask.stream or (not ask.dry and heard[-2] != ask):
            erasure = None if not ask.stream else Erased()
        else:
            erasure = found if ask.dry else Erased(addresses=(OLD,))
        if erasure is not None:
            await message.respond(msgspec.json.encode(Answer(erasure=erasure)))

    monkeypatch.setattr(cli, "SECONDS", 0.1)
    await broker.nc.subscribe(subjects.command("member_erase"), cb=answer)
    assert await cli.erase(typed, OLD, yes=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["erased"], told["lists"], told["questions"]) == (True, [LIST], 2)
