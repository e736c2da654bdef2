"""Membership's I/O: the roster is fed, commands and mail are answered, posts are fanned out."""

from __future__ import annotations

import asyncio

from postroad.mail.tokens import TokenMaker
from postroad.runtime.service import Context, Service
from schemas import subjects
from services.membership.answers import Answers
from services.membership.commands import Commands
from services.membership.distribute import Distributor
from services.membership.endpoints import serving
from services.membership.feed import Feed, open_store
from services.membership.letters.posting import Letterbox
from services.membership.people import People
from services.membership.requests.desk import Desk
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.roster import Roster


async def run(context: Context) -> None:
    """Fold until up to date, then answer and fan out until told to stop."""
    broker, config = context.broker, context.config
    people = People(broker, config.site_key())
    store = await open_store(broker, config.site.state_dir)
    feed = Feed(broker, store, context.health)
    roster = Roster(feed)
    try:
        async with asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(feed.run())
            if await _caught_up(feed, context.stopping):
                questions = Questions(broker, people, config.site_key())
                outbox = Outbox(Letterbox(broker), TokenMaker(config.site_key()))
                commands = Commands(broker, roster, people, questions, outbox)
                async with serving(context, commands), asyncio.TaskGroup() as handlers:
                    context.ready()
                    fanout = Distributor(broker, config, roster, people).handle
                    handlers.create_task(
                        context.consume(subjects.FANOUT, fanout, span="membership.fanout")
                    )
                    desk = Desk(broker, config, roster, people, questions, outbox)
                    handlers.create_task(
                        context.consume(
                            subjects.ANSWERS, Answers(desk).handle, span="membership.answer"
                        )
                    )
            feeding.cancel()
    finally:
        await store.close()


async def _caught_up(feed: Feed, stopping: asyncio.Event) -> bool:
    """Wait until the roster is up to date; False where told to stop before."""
    catching_up = asyncio.create_task(feed.catch_up())
    stop = asyncio.create_task(stopping.wait())
    done, others = await asyncio.wait({catching_up, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    if catching_up in done:
        catching_up.result()
    return not stopping.is_set()


SERVICE = Service(
    name="membership",
    about="who is on which list; turns routed posts into chunks to send",
    run=run,
)
