"""The projector keeps copies for analysts while it folds."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest

from postroad.runtime.errors import Retry
from postroad.runtime.health import Health
from projections.catalog import projections
from projections.projection import Folded
from projections.snapshot import NAME
from projections.warehouse import Batch, Origin, Warehouse
from services.projector.snapshot import Snapshots

WHEN = 1_795_000_000_000_000


@pytest.fixture
async def warehouse(tmp_path: Path) -> AsyncIterator[Warehouse]:
    file = await Warehouse.open(
        tmp_path / "analytics.duckdb", projections(), {"LISTS": Origin("2026-11-22", 9)}
    )
    yield file
    await file.close()


async def fold(warehouse: Warehouse) -> None:
    """One event of a list."""
    seq = warehouse.checkpoints["LISTS"]
    row = (seq + 1, WHEN, "team", "created", "team@lists.example.org", "operator", None, "c1")
    rows = {"list_events": [row]}
    folded = {"lists": [Folded(rows=rows)]}
    await warehouse.apply([Batch(stream="LISTS", after=seq, upto=seq + 1, folded=folded)])


def copied(folder: Path) -> int:
    with duckdb.connect(str(folder / NAME), read_only=True) as connection:
        found = connection.execute("select count(*) from list_events").fetchone()
        assert found is not None
        return int(found[0])


async def test_copies_follow_what_is_folded(tmp_path: Path, warehouse: Warehouse) -> None:
    """A refresh holds all that was folded before it, and none is made where nothing was."""
    snapshots = Snapshots(warehouse, tmp_path / "analytics", Health("projector"))
    await fold(warehouse)
    assert (await snapshots.refresh()).files > 0
    assert copied(tmp_path / "analytics") == 1
    before = (tmp_path / "analytics" / NAME).stat().st_ino
    assert (await snapshots.refresh()).octets == 0
    assert (tmp_path / "analytics" / NAME).stat().st_ino == before
    async with warehouse.still():
        await fold(warehouse)  # nobody waits for a copy
    await snapshots.refresh()
    assert copied(tmp_path / "analytics") == 2


async def test_a_copy_that_cannot_be_made_is_told(
    tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status says why, the old copy stays, and the next that works says so, too."""
    health = Health("projector")
    snapshots = Snapshots(warehouse, tmp_path / "analytics", health)
    (tmp_path / "analytics").write_text("in the way")
    await fold(warehouse)
    with pytest.raises(Retry, match="File exists"):
        await snapshots.refresh()
    [fact] = health.answer().facts
    assert (fact.kind, fact.ok, fact.detail) == ("analytics", False, "File exists")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Retry, match="ended with 1"):
        await snapshots.refresh()
    monkeypatch.undo()
    (tmp_path / "analytics").unlink()
    await snapshots.refresh()
    assert health.answer().facts[0].ok
    assert snapshots.told == health.answer().facts[0].facts["as_of"]
