"""Names for the story of a post whose queue is deleted: the addresses stood there. Membership knows
where people are reached today, the analytics whose copies came back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from postroad.cli.gathering import reached
from postroad.cli.projected import projected
from postroad.cli.road import MEMBERSHIP
from postroad.cli.story import Fate, Returned, Trouble
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError
from postroad.runtime.rollcall import rollcall


async def name(broker: Broker, config: Config, mail: str, fates: Mapping[str, Fate]) -> None:
    """Fill in what is missing in the fates, by slug; where nobody answers it stays as it is."""
    for slug, fate in fates.items():
        nameless = [each for each in fate.bounces if each.number >= 0 and not each.person]
        if nameless:
            with contextlib.suppress(PostroadError):
                async with projected(config, broker) as ask:
                    rows = await ask("bounces_of_post", list=slug, mail=mail)
                whose = {row["report"]: row["person"] for row in rows if row["report"]}
                for bounce in nameless:
                    bounce.person = whose.get(bounce.mail, "")
    named: list[Trouble | Returned] = []
    for fate in fates.values():
        named += [*fate.troubles, *fate.bounces]
    missing = [each for each in named if each.person and not each.address]
    if not missing:
        return
    answered = await rollcall(broker, [MEMBERSHIP], seconds=0.5)
    if any(report.service == MEMBERSHIP and report.ready for report in answered):
        with contextlib.suppress(PostroadError):
            where = await reached(broker, [each.person for each in missing])
            for each in missing:
                each.address = where.get(each.person, "")
