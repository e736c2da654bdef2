"""PEOPLE: one person for an address, and no trace of who was erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from postroad.runtime.embedded import EmbeddedBroker
from schemas.road import AsOf
from services.membership.people import People
from tests.broker.membership import Membership, membership, settings

ANN = "ann.unmistakable@example.org"


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Membership]:
    """A running membership service with one list, and Ann on it."""
    async with membership(broker, settings(tmp_path)) as running:
        await running.create()
        await running.add(ANN, display_name="Ann Unmistakable")
        yield running


def traces(server: EmbeddedBroker, words: bytes) -> list[str]:
    """Files of the broker's store that hold these bytes."""
    files = [path for path in (server.home / "jetstream").rglob("*") if path.is_file()]
    return [path.name for path in files if words in path.read_bytes()]


def people(service: Membership) -> People:
    """The same people the service knows."""
    return People(service.broker, service.context.config.site_key())


async def forget(service: Membership) -> bool:
    """Have PEOPLE forget Ann."""
    known = people(service)
    return await known.erase(known.key(ANN), correlation=new_id(), actor="operator")


async def test_one_address_is_one_person(broker: Broker) -> None:
    """However many ask at once who an address is, all are told the same person."""
    known = People(broker, b"k" * 32)
    asked = [known.obtain(ANN, "", evidence="", correlation="c") for _ in range(10)]
    assert len({person.id for person in await asyncio.gather(*asked)}) == 1
    assert len([m async for m in broker.scan("PEOPLE", "people.>")]) == 1


async def test_subjects_tell_nothing(service: Membership) -> None:
    """No subject holds an address, and with another site key it would be another subject."""
    (stored,) = [m async for m in service.broker.scan("PEOPLE", "people.>")]
    assert "ann" not in stored.subject
    assert stored.subject == f"people.{people(service).key(ANN.upper())}"
    assert stored.subject != f"people.{People(service.broker, b'k' * 32).key(ANN)}"


async def test_erasing_leaves_no_byte(service: Membership, server: EmbeddedBroker) -> None:
    """After erasure neither address nor name is in any file of the broker's store, and the
    person is nobody; erasing again finds nothing."""
    assert traces(server, b"unmistakable")
    assert traces(server, b"Ann Unmistakable")
    before = await service.whois(ANN)
    assert await forget(service)
    assert traces(server, b"unmistakable") == []
    assert traces(server, b"Unmistakable") == []
    last = await service.broker.last("PEOPLE", "people.>")
    assert last is not None
    await service.folded(AsOf(people=last.seq))
    after = await service.whois(ANN)
    assert (before.roles, after.person, after.roles) == (("member",), "", ())
    assert not await forget(service)


async def test_who_comes_back_is_somebody_new(service: Membership) -> None:
    """Joining again after erasure makes a new person, who is on no list by that."""
    before = await service.whois(ANN)
    await forget(service)
    await service.add(ANN, role="owner")
    after = await service.whois(ANN)
    assert after.person not in ("", before.person)
    assert after.roles == ("owner",)


async def test_an_erasure_cut_short_is_finished_by_the_next(
    service: Membership, server: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the marker and before the bytes were overwritten, erasing again does it."""

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(service.broker, "erase", killed)
        with pytest.raises(KeyboardInterrupt):
            await forget(service)
    assert traces(server, b"unmistakable")
    assert await forget(service)
    assert traces(server, b"unmistakable") == []
