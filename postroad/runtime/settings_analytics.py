"""The shape of [analytics]."""

from __future__ import annotations

import msgspec

from postroad.runtime.quantities import duration


class Analytics(msgspec.Struct, frozen=True, kw_only=True):
    """[analytics]: what the projector keeps, and how often its snapshot is refreshed."""

    refresh: str = "5m"
    keep: str = "400d"  # rows about mail; who is on which list is kept for ever
    addresses: bool = False  # whether tables hold addresses, and not only ids of people

    @property
    def refresh_seconds(self) -> float:
        """Between two snapshots."""
        return duration(self.refresh)

    @property
    def keep_seconds(self) -> float:
        """How long rows about mail are kept."""
        return duration(self.keep)
