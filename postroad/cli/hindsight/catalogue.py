"""The lists there are: as they stand, as proposed, and what their settings were."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping

from postroad.runtime.broker import Broker
from projections.lists import Directory
from schemas.codec import UnknownEvent
from schemas.lists import ListConfigured, ListSettings


class Lists:
    """Folded from LISTS. `proposed` differs from `today` where something is."""

    def __init__(self) -> None:
        self.today, self.proposed = Directory(), Directory()
        self._versions: defaultdict[str, list[tuple[int, ListSettings]]] = defaultdict(list)

    async def fold(
        self, broker: Broker, slug: str, changes: Mapping[str, tuple[object, object]]
    ) -> None:
        """Take in all there is, and the changes that are proposed to one of them."""
        async for stored in broker.scan("LISTS", "lists.>"):
            with contextlib.suppress(UnknownEvent):
                name = stored.subject.removeprefix("lists.")
                events = stored.envelope().events
                for directory in (self.today, self.proposed):
                    directory.fold(name, stored.seq, events, stored.time)
                known = self.today.get(name)
                if known is not None:
                    self._versions[name].append((stored.seq, known.settings))
        if changes:
            known = self.proposed[slug]
            self.proposed.fold(slug, known.seq, (ListConfigured(changes=dict(changes)),))

    def settings(self, slug: str, seq: int) -> ListSettings:
        """The settings of a list at this sequence of LISTS."""
        versions = self._versions.get(slug, [])
        at = bisect_right(versions, seq, key=lambda version: version[0])
        return versions[max(0, at - 1)][1] if versions else ListSettings()
