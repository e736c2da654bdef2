"""Large posts that are done, told from the analytics: counting a million entries of the ledger anew
takes a minute. What is under way, or not folded yet, is read from the streams as ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.cli.durations import Durations
from postroad.cli.gathering import folded, reached
from postroad.cli.projected import projected
from postroad.cli.story import Fate, Line, Story, Trouble
from postroad.cli.timeline import LINES
from postroad.mail.refusals import why
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from postroad.runtime.errors import PostroadError
from postroad.runtime.projector import Ask

LARGE = 20_000  # recipients


class LargePosts:
    """The lists at which one mail was a large post and is done, as the analytics know them."""

    def __init__(self, mail: str) -> None:
        self.mail = mail
        self._found: dict[str, dict[str, Any]] = {}  # by slug

    def others(self, fates: Mapping[str, Fate]) -> list[tuple[str, str]]:
        """Where the ledger is still to be read: slug (or `*`) and mail."""
        if not self._found:
            return [("*", self.mail)]
        return [(slug, self.mail) for slug in fates if slug not in self._found]

    async def look(self, broker: Broker, config: Config, fates: Mapping[str, Fate]) -> None:
        """Find out. Where the projector does not answer, or is not so far, there are none."""
        large = [s for s, fate in fates.items() if fate.kind == "post" and fate.recipients >= LARGE]
        if not large:
            return
        try:
            async with projected(config, broker) as ask:
                rows = await ask("post_counts", mail=self.mail, after=await folded(broker))
                done = {r["list"]: r for r in rows if not r["waiting"] and not r["deferred"]}
                for slug in done.keys() & {*large}:
                    if done[slug]["audience"] == fates[slug].recipients:
                        self._found[slug] = {"counts": done[slug], **await self._of(ask, slug)}
            for found in self._found.values():
                await self._address(broker, found)
        except PostroadError:
            self._found.clear()

    async def _of(self, ask: Ask, slug: str) -> dict[str, Any]:
        about: dict[str, Any] = {"list": slug, "mail": self.mail}
        (took,) = await ask("large_took", **about)
        return {
            "took": Durations(**took) if took["p50"] is not None else None,
            "windows": await ask("large_windows", **about, limit=LINES),
            "again": await ask("large_again", **about, limit=LINES),
            "troubles": await ask("large_troubles", **about),
            "bounces": await ask("bounces_of_post", **about),
        }

    async def _address(self, broker: Broker, found: dict[str, Any]) -> None:
        people = [row["person"] for row in (*found["troubles"], *found["bounces"])]
        found["where"] = await reached(broker, people)

    def lay(self, fates: Mapping[str, Fate], story: Story) -> None:
        """Put what was found in its place in a story that was told without it."""
        lines = list(story.timeline)
        for slug, found in self._found.items():
            fate, counts, where = fates[slug], found["counts"], found["where"]
            fate.accepted, fate.failed = counts["accepted"], counts["failed"]
            fate.left, fate.waiting, fate.waits = counts["departed"], 0, ()
            fate.possible_duplicates, fate.windows = counts["doubtful"], counts["windows"]
            fate.took = found["took"]
            fate.troubles = tuple(_trouble(row, where) for row in found["troubles"])
            whose = {row["report"]: row["person"] for row in found["bounces"] if row["report"]}
            for bounce in fate.bounces:
                bounce.person = whose.get(bounce.mail, "")
                bounce.address = where.get(bounce.person, "")
            lines += [
                Line(at=row["ts"], what=f"{fate.list}: {_window(row)}") for row in found["windows"]
            ]
            for row in found["again"]:
                again = f"{fate.list}: chunk {row['chunk']}: {row['copies']} tried again"
                lines.append(Line(at=row["ts"], what=again))
            if fate.windows > LINES:
                rest = f"{fate.list}: {fate.windows - LINES} more windows, the last now"
                lines.append(Line(at=found["windows"][0]["last_at"], what=rest))
        story.timeline = tuple(sorted(lines, key=lambda line: line.at))


def _trouble(row: Mapping[str, Any], where: Mapping[str, str]) -> Trouble:
    return Trouble(
        person=row["person"],
        kind="failed",
        code=row["code"],
        enhanced=row["enhanced"],
        text=row["reply"],
        why=why(row["code"], row["enhanced"]),
        scope=row["scope"],
        relay=row["relay"],
        at=row["ts"],
        address=where.get(row["person"], ""),
    )


def _window(row: Mapping[str, Any]) -> str:
    names = {"accepted": "accepted", "deferred": "deferred", "failed": "failed"}
    names["departed"] = "left the list"
    told = ", ".join(f"{row[name]} {word}" for name, word in names.items() if row[name])
    word = "may have had it before" if row["deferred"] else "perhaps for the second time"
    twice = f", {row['doubtful']} {word}" if row["doubtful"] else ""
    return f"chunk {row['chunk']}: {told}{twice} by {row['relay']}"
