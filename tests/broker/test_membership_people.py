"""PEOPLE: one person for an address, whose subject does not tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.runtime.broker import Broker
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


def people(service: Membership) -> People:
    """The same people the service knows."""
    return People(service.broker, service.context.config.site_key())


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
