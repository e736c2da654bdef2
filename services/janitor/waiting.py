"""What was looked at and stays, and when it is worth another look. Pure.

What waits for something that is still to be recorded goes, at the soonest, when that record has the
age itself. Until the horizon passes where the streams ended at the look, nothing need be read.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from schemas.marks import Diary, Ends, before

RECORDED = ("held", "scheduled")  # they end with a new message about the same mail
STANDING = ("undecided", "underway", "sending")  # so do these; or a consumer comes further
FORGET = 86_400.0  # seconds: so often everything is looked at whatever was recorded

Unit = TypeVar("Unit", bound=Hashable)


class Waiting(Generic[Unit]):
    """Remembers from one look to the next; a process that begins looks at everything."""

    def __init__(self) -> None:
        self._diary = Diary()
        self._since = 0.0
        self._standing: object = None
        self._kept: dict[Unit, tuple[str, Ends, object]] = {}

    def begin(self, diary: Diary, standing: object) -> None:
        """A look begins, as of this diary; `standing` is how far consumers are, to compare."""
        lived = diary.lived - self._since
        if diary.born != self._diary.born or not 0 <= lived < FORGET:
            self._kept.clear()
            self._since = diary.lived
        self._diary, self._standing = diary, standing

    def due(self, units: Iterable[Unit], old: Ends, keep: Callable[[str], None]) -> list[Unit]:
        """Those to look at, where `old` is the horizon of their age; why each other stays is told
        to `keep`."""
        found = []
        for unit in units:
            if why := self._waits(unit, old):
                keep(why)
            else:
                found.append(unit)
        return found

    def note(self, unit: Unit, why: str, seqs: Mapping[str, int] | None = None) -> None:
        """One was looked at and stays for this reason; it goes, where that is empty. `seqs` are
        the last sequences of it, by stream."""
        if why == "young" and seqs:
            self._kept[unit] = why, seqs, None
        elif why in RECORDED or why in STANDING:
            ends = self._diary.marks[-1].ends if self._diary.marks else {}
            self._kept[unit] = why, ends, self._standing
        else:
            self._kept.pop(unit, None)

    def _waits(self, unit: Unit, old: Ends) -> str:
        if unit not in self._kept:
            return ""
        why, ends, standing = self._kept[unit]
        if why == "young":
            return "" if before(old, ends) else why
        passed = any(old.get(name, 0) > end for name, end in ends.items())
        moved = why in STANDING and standing != self._standing
        return "" if passed or moved else why
