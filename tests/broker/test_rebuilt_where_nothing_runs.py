"""A rebuild where no projector runs leaves a file that holds all that the streams keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from postroad.cli.rebuild import _alone
from postroad.runtime.broker import Broker
from projections.duckfile import discard
from projections.warehouse import NAME
from schemas.questions import Progress
from tests.broker.projecting import ledger, member, publish, settings

ALL = ("deliveries", "membership")
BLOCK = 262_144  # octets that DuckDB has one checksum for


async def rebuild(broker: Broker, place: Path, *names: str) -> Progress:
    """Run the command, to its end."""
    return await _alone(settings(place), broker, names, lambda _: None)


def found(place: Path) -> tuple[dict[str, int], Sequence[int]]:
    """How far two streams are folded into the file, and its rows about each."""
    with duckdb.connect(str(place / NAME), read_only=True) as file:
        positions = dict(file.execute("select stream, seq from checkpoint").fetchall())
        (rows,) = file.execute(
            "select (select count(*) from deliveries), (select count(*) from membership_events)"
        ).fetchall()
    return {stream: positions[stream] for stream in ("DELIVERY", "MEMBERSHIP")}, rows


def make_directory(path: Path) -> None:
    """Something that is no file."""
    (path / "within").mkdir(parents=True)


def scribble(path: Path) -> None:
    """Spoil rows: to open the file is no trouble, to read it is."""
    octets = bytearray(path.read_bytes())
    octets[1000 - BLOCK] ^= 0xFF
    path.write_bytes(octets)


async def test_all_is_folded_whatever_lies_there(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a file, or with one of no use, everything is folded into a new one, and what was
    moved aside is named; a file that is merely behind is folded on, other tables too."""
    await publish(broker, [member(number) for number in range(20)])
    await publish(broker, [entry for chunk in range(3) for entry in ledger(chunk, 2)])
    path = tmp_path / NAME
    there = {"DELIVERY": 9, "MEMBERSHIP": 20}, (3 * 2 * 16, 20)
    spoilt: list[tuple[Callable[[Path], object], bool]] = [
        (lambda path: path.write_bytes(b"garbage" * 4096), True),
        (make_directory, True),
        (discard, False),
    ]
    for spoil, aside in spoilt:
        discard(path)
        spoil(path)
        done = await rebuild(broker, tmp_path, *ALL)
        assert found(tmp_path) == there
        assert (done.state, done.events, done.failed) == ("done", 29, 0)
        assert bool(done.aside) == aside
        assert not aside or (
            (tmp_path / done.aside).exists() and done.aside in capsys.readouterr().err
        )
    await publish(broker, [member(number) for number in range(20, 30)])
    await publish(broker, ledger(3, 2))
    done = await rebuild(broker, tmp_path, "deliveries")
    there = {"DELIVERY": 12, "MEMBERSHIP": 30}, (4 * 2 * 16, 30)
    assert found(tmp_path) == there
    scribble(path)
    done = await rebuild(broker, tmp_path, *ALL)
    assert found(tmp_path) == there
    assert (tmp_path / done.aside).exists()
