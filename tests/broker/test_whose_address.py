"""Whom an address belongs to, asked of the real service."""

from __future__ import annotations

from pathlib import Path

from postroad.runtime.broker import Broker
from postroad.runtime.clock import new_id
from schemas.addresses import ChangeAddress
from schemas.whose import WhereReached, WhoseAddress
from services.membership.people import People
from tests.broker.membership import LIST, membership
from tests.broker.requests import ANNA, settings
from tests.e2e.system import until

NEW = "anna@new.example"


async def test_an_address_is_somebodys_is_given_up_and_is_forgotten(
    broker: Broker, tmp_path: Path
) -> None:
    """Of an address it is told whose it is and since when; of one that was given up where its
    person is now; of the erased only that; of a stranger nothing."""
    config = settings(tmp_path)
    people = People(broker, config.site_key())
    async with membership(broker, config) as service:
        await service.create(LIST)
        assert (await service.ask(WhoseAddress(address=ANNA))).whose is None
        await service.add(ANNA)
        first = (await service.ask(WhoseAddress(address=ANNA.upper()))).whose
        assert first is not None
        assert (first.address, first.erased, bool(first.since)) == (ANNA, False, True)
        assert (await service.ask(WhereReached(people=(first.person, "nobody")))).where == {
            first.person: ANNA
        }

        await service.ask(ChangeAddress(verb="move", own=ANNA, address=NEW))
        moved = (await service.ask(WhoseAddress(address=ANNA))).whose
        assert moved is not None
        assert (moved.person, moved.address, moved.since) == (first.person, NEW, "")

        await people.erase(people.key(NEW), correlation=new_id(), actor="operator")

        async def folded() -> bool:
            whose = (await service.ask(WhoseAddress(address=NEW))).whose
            return whose is not None and whose.erased

        await until(folded, "the erasure is known")
        for address in (ANNA, NEW):
            gone = (await service.ask(WhoseAddress(address=address))).whose
            assert gone is not None
            assert (gone.erased, gone.address) == (True, "")
        assert not (await service.ask(WhereReached(people=(first.person,)))).where
