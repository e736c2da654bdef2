"""What was measured, and the table it is shown in."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tests.bench.yardsticks import PEERS, Bound

COLUMNS = 100
WIDTHS = (45, 9, 7, 7, 9, 3)
HEAD = ("scenario", "value", "unit", "ratio", "need", "")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure: the median of `n` rounds, the least and the most of them.

    `ratio` is our rate over smtp-source's in the same round (more is better), None where that
    says nothing. `need` is what is asked of `value`, `peers` what others reached, `parts` what
    `value` is the sum of, `cpu` the seconds of CPU each process used (the median round's).
    """

    scenario: str
    value: float
    unit: str
    ratio: float | None = None
    min: float
    max: float
    n: int
    need: Bound | None = None
    peers: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def median(
        cls,
        scenario: str,
        values: Sequence[float],
        unit: str,
        *,
        ratios: Sequence[float] = (),
        need: Bound | None = None,
        parts: Mapping[str, float] | None = None,
        cpu: Sequence[Mapping[str, float]] = (),
    ) -> Figure:
        """Of several rounds."""
        names = sorted({name for spent in cpu for name in spent})
        return cls(
            scenario=scenario,
            value=rounded(statistics.median(values)),
            unit=unit,
            ratio=rounded(statistics.median(ratios)) if ratios else None,
            min=rounded(min(values)),
            max=rounded(max(values)),
            n=len(values),
            need=need,
            peers=PEERS.get(scenario, ""),
            parts={name: round(part) for name, part in (parts or {}).items()},
            cpu={
                name: round(statistics.median(s.get(name, 0.0) for s in cpu), 2) for name in names
            },
        )

    @property
    def met(self) -> bool | None:
        """Whether the need is met; None where nothing is asked."""
        return None if self.need is None else self.need.met(self.value)

    def to_json(self) -> dict[str, object]:
        """For build/bench.json: what is not known stays out, but for the ratio."""
        told = {key: value for key, value in asdict(self).items() if value not in (None, "", {})}
        return {**told, "ratio": self.ratio, "need": str(self.need or ""), "met": self.met}

    def lines(self) -> Iterator[str]:
        """For the table: the figure, and below it its spread, the peers and where CPU went."""
        need = str(self.need or "")
        verdict = {True: "ok", False: "NO", None: ""}[self.met]
        ratio = "" if self.ratio is None else f"{self.ratio:g}"
        yield line(self.scenario, f"{self.value:,g}", self.unit, ratio, need, verdict)
        if self.n > 1:
            yield from below(f"{self.min:,g} to {self.max:,g} in {self.n} rounds")
        if self.peers:
            yield from below(self.peers)
        if self.parts:
            yield from below(", ".join(f"{name} {part:g}" for name, part in self.parts.items()))
        if spent := {name: seconds for name, seconds in self.cpu.items() if seconds >= 0.005}:
            told = ", ".join(f"{name} {seconds:g}" for name, seconds in spent.items())
            yield from below(f"seconds of CPU: {told}")


def rounded(value: float) -> float:
    """Three significant figures, integers in full."""
    return float(f"{value:.3g}") if abs(value) < 100 else float(round(value))


def line(*cells: str) -> str:
    """A line of the table."""
    first, *rest = (
        f"{cell:{'<' if place == 0 else '>'}{width}}"
        for place, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    )
    return " ".join((first, *rest)).rstrip()


def below(text: str) -> list[str]:
    """What stands under a line of the table."""
    return textwrap.wrap(text, COLUMNS, initial_indent="    ", subsequent_indent="    ")
