"""Looking only: the answer to a question about past mail, without a trace."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from postroad.cli.frame import Call
from postroad.cli.hindsight import page
from postroad.cli.hindsight.differing import Judged
from postroad.cli.hindsight.judging import Judging
from postroad.cli.hindsight.past import Oracle
from postroad.cli.hindsight.window import Wanted
from postroad.cli.progress import progress
from postroad.cli.road import roster
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from schemas.hindsight import Proposed, ProposeSettings
from services.membership.hindsight import Hindsight
from services.membership.languages import BUILT_IN
from services.membership.people import People

THEN_NOW = ("then", "today")
NOW_WOULD = ("today", "with it")


@dataclass(frozen=True)
class Question:
    """What somebody wants to know: of the mail of a `list` (its address; empty for every one) from
    `begin` to `end`, with `settings` as typed."""

    list: str
    begin: datetime
    end: datetime
    settings: Mapping[str, str] = field(default_factory=dict)
    dns: bool = True
    hooks: bool = False
    only_diff: bool = False


async def looked(call: Call, question: Question) -> None:
    """Print what would differ. Raises PostroadError."""
    async with _knowing(call.config) as (broker, oracle):
        judging, proposed = await prepared(broker, call.config, oracle, question)
        found = await judged(judging, question, sys.maxsize if call.json else page.ROWS)
    sides = NOW_WOULD if question.settings else THEN_NOW
    call.show(plain(judging, found, proposed), lambda: page.show(found, judging, sides=sides))


async def prepared(
    broker: Broker, config: Config, oracle: Oracle, question: Question
) -> tuple[Judging, Proposed]:
    """Who judges, and what a proposal changes. Raises PostroadError where the list or a setting is
    none."""
    proposed = Proposed()
    if question.list:
        ask = ProposeSettings(list=question.list, settings=dict(question.settings))
        proposed = await oracle.ask("propose", ask, Proposed)
    wanted = Wanted(
        begin=question.begin,
        end=question.end,
        only=proposed.slug,
        proposed=proposed.changes,
        dns=question.dns,
        hooks=question.hooks,
    )
    return Judging(broker, config, oracle, wanted), proposed


async def judged(judging: Judging, question: Question, most: int = page.ROWS) -> list[Judged]:
    """Every mail, or those that differ; of those that do not no more than `most`."""
    found: list[Judged] = []
    with progress("judging") as reached:
        async for each in judging.run():
            if each.differs or (not question.only_diff and len(found) < most):
                found.append(each)
            reached(judging.window.read, judging.window.total)
    return found


def plain(judging: Judging, found: list[Judged], proposed: Proposed) -> dict[str, object]:
    """For programs."""
    return {
        **judging.tally.plain(),
        "already": judging.already,
        "proposed": proposed.changes,
        "notes": judging.notes(),
        "differences": [_plain(each) for each in found],
    }


def _plain(judged: Judged) -> dict[str, object]:
    told = msgspec.structs.asdict(judged)
    for name in ("slug", "decided", "as_of"):
        del told[name]
    return told


@contextlib.asynccontextmanager
async def _knowing(config: Config) -> AsyncIterator[tuple[Broker, Oracle]]:
    async with roster(config) as (broker, feed):
        here = None
        if feed is not None:
            here = Hindsight(feed, People(broker, config.site_key()), BUILT_IN)
        yield broker, Oracle(broker, here)
