"""What `make bench` prints and writes."""

from __future__ import annotations

from tests.bench.figures import COLUMNS, Figure
from tests.bench.yardsticks import PEERS, Bound

CPU = [{"broker": 0.5, "membership": 0.25, "ingest": 0.001, "supervisor": 0.03}] * 3


def figures() -> list[Figure]:
    """Every figure with peers, at its widest."""
    return [
        Figure.median(
            scenario,
            [9_999_999.0, 1.0, 12_345_678.0],
            "posts/s",
            ratios=[0.123456],
            need=Bound(100_000, at_least=True),
            parts=dict.fromkeys(CPU[0], 9999),
            cpu=CPU,
        )
        for scenario in PEERS
    ]


def test_the_table_fits_a_terminal() -> None:
    """No line of the table is longer than 100 columns."""
    lines = [line for figure in figures() for line in figure.lines()]
    assert [line for line in lines if len(line) > COLUMNS] == []


def test_programs_find_four_keys_in_every_figure() -> None:
    """Each entry of bench.json has scenario, value, unit and ratio, the ratio even where there
    is none."""
    bare = Figure.median("import", [1.5], "s")
    for figure in (*figures(), bare):
        assert {"scenario", "value", "unit", "ratio"} <= set(figure.to_json())
    assert bare.to_json()["ratio"] is None


def test_a_figure_is_the_median_of_its_rounds() -> None:
    """One slow round moves the most, not the value."""
    figure = Figure.median("latency", [3.0, 90.0, 2.0], "ms", need=Bound(5), cpu=CPU)
    assert (figure.value, figure.min, figure.max, figure.n) == (3.0, 2.0, 90.0, 3)
    assert figure.met
    assert figure.cpu["broker"] == 0.5
