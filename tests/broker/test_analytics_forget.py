"""Who is erased is forgotten by the analytics, too, where these may hold addresses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec

from postroad.cli.projected import projected
from postroad.runtime.broker import Broker
from postroad.runtime.service import running
from postroad.runtime.settings_analytics import Analytics
from projections.warehouse import NAME
from schemas.commands import EraseMember
from services.projector.service import SERVICE
from tests.broker.membership import LIST, membership, settings
from tests.peers.traces import tells

ANN = "ann.unmistakable@example.org"
FILES = {NAME, "analytics/postroad.duckdb"}
BOB = "bob.lasting@example.org"


async def test_an_erased_address_leaves_the_analytics_and_their_copies(
    broker: Broker, tmp_path: Path
) -> None:
    """With addresses allowed, the projector writes its file and the copies anew by itself: soon
    after an erasure no file of its has the address, and the person is told to be erased; with the
    setting taken back, none has anybody's."""
    config = msgspec.structs.replace(
        settings(tmp_path), analytics=Analytics(addresses=True, refresh="1h")
    )

    def traces(address: str) -> set[str]:
        found = set()
        for path in [*tmp_path.glob("analytics*"), *tmp_path.glob("analytics/**/*")]:
            with suppress(FileNotFoundError, IsADirectoryError):  # one that was just replaced
                if tells(path.read_bytes(), address):
                    found.add(str(path.relative_to(tmp_path)))
        return found

    def exported() -> list[str]:
        """The addresses in Parquet, which are packed there; one of nobody where it changes."""
        files = str(tmp_path / "analytics/parquet/addresses/*.parquet")
        sql = "select address from read_parquet($1) where address is not null"
        with duckdb.connect() as reader, suppress(duckdb.Error):
            return [address for (address,) in reader.execute(sql, [files]).fetchall()]
        return ["?"]

    async with membership(broker, config) as service, running("projector", config, broker) as own:
        await service.create()
        await service.add(ANN, BOB)
        person = (await service.whois(ANN)).person
        projector = asyncio.ensure_future(SERVICE.run(own))
        try:
            while not own.health.ready:
                await asyncio.wait({projector}, timeout=0.01)
            async with projected(config, broker) as ask, asyncio.timeout(60):
                while not traces(ANN) & traces(BOB) >= FILES:
                    (told,) = await ask("person", after={"PEOPLE": 2}, person=person)
                    assert (told["address"], told["erased"]) == (ANN, False)
                answer = await service.ask(EraseMember(address=ANN))
                assert answer.erasure is not None
                assert answer.erasure.lists == (LIST,)
                while traces(ANN) or exported() != [BOB]:
                    await ask("person", person=person)
                (told,) = await ask("person", person=person)
            assert (told["address"], told["domain"], told["erased"]) == (None, None, True)
        finally:
            own.stopping.set()
            await projector
    assert not traces(ANN)
    assert traces(BOB) >= FILES
    assert exported() == [BOB]
    config = settings(tmp_path)
    async with running("projector", config, broker) as own:
        projector = asyncio.ensure_future(SERVICE.run(own))
        try:
            while traces(BOB) or exported():
                await asyncio.wait({projector}, timeout=0.05)
        finally:
            own.stopping.set()
            await projector
    assert exported() == []
