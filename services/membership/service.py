"""Membership's I/O: the roster is fed, commands and mail are answered, posts are fanned out."""

from __future__ import annotations

import asyncio

from postroad.mail.tokens import TokenMaker
from postroad.runtime.service import Context, Service
from schemas import subjects
from services.membership import expiry
from services.membership.afterall import AfterAll
from services.membership.answers import Answers
from services.membership.approvals.desk import Approvals
from services.membership.bounces.desk import BounceDesk
from services.membership.bounces.letters import BounceLetters
from services.membership.bounces.warnings import Warnings
from services.membership.commands import Commands
from services.membership.distribute import Distributor
from services.membership.endpoints import serving
from services.membership.feed import Feed, open_store
from services.membership.letters import site
from services.membership.letters.failed import FailureReports
from services.membership.letters.held import PostNotices
from services.membership.letters.posting import Letterbox
from services.membership.letters.readers import Readers
from services.membership.letters.templates import Templates
from services.membership.letters.wording import Site
from services.membership.links import Links
from services.membership.moderation.always import AlwaysAccepted
from services.membership.moderation.bymail import RepliedVerdicts
from services.membership.moderation.desk import HeldDesk
from services.membership.moderation.notices import HeldNotices
from services.membership.moderation.tokens import Tokens
from services.membership.moderation.verdicts import Verdicts
from services.membership.moderation.waiting import WaitingMail
from services.membership.owners import Owners
from services.membership.people import People
from services.membership.received import Received
from services.membership.requests.deeds import Office
from services.membership.requests.desk import Desk
from services.membership.requests.moving import Moving
from services.membership.requests.outbox import Outbox
from services.membership.requests.questions import Questions
from services.membership.roster import Roster

AT_ONCE = 8  # mails that are read for commands, and bounces; each may be 4 MB


async def run(context: Context) -> None:
    """Fold until up to date, then answer and fan out until told to stop."""
    own = site.read(context.config.site.letters_dir, context.config.site.default_language)
    store = await open_store(context.broker, context.config.site.state_dir)
    feed = Feed(context.broker, store, context.health)
    try:
        async with asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(feed.run())
            if await _caught_up(feed, context.stopping):
                await _work(context, feed, own)
            feeding.cancel()
    finally:
        await store.close()


async def _work(context: Context, feed: Feed, own: Site) -> None:
    """Answer commands and mail, and fan out, until told to stop."""
    broker, config, key = context.broker, context.config, context.config.site_key()
    roster, people = Roster(feed), People(broker, key)
    readers = Readers(own, roster, people)
    letterbox, tokens = Letterbox(broker, readers.words), TokenMaker(key)
    received, outbox = Received(broker, config), Outbox(letterbox, tokens)
    questions = Questions(broker, people, key, readers.words)
    owners = Owners(config, roster, people)
    fanout = Distributor(broker, config, roster, owners, people, context.health.metrics)
    reports = FailureReports(broker, roster, owners, letterbox)
    verdicts, waiting = Verdicts(broker, feed), WaitingMail(broker)
    held = HeldDesk(broker, feed, received, verdicts, waiting, questions.contacts)
    waits = HeldNotices(
        *(broker, owners, letterbox, waiting, held, verdicts, Tokens(broker, key)), context.health
    )
    replied = RepliedVerdicts(verdicts, owners, roster)
    verdict_tokens = Tokens(broker, key)
    approvals = Approvals(broker, roster, people, owners, letterbox, outbox, verdict_tokens)
    moving = Moving(broker, roster, people, questions, outbox)
    office = Office(
        *(broker, roster, people, questions, tokens, replied, approvals, moving), own.languages
    )
    answers = Answers(
        Desk(office, received, outbox),
        PostNotices(feed, received, letterbox, questions.contacts),
        AlwaysAccepted(broker, roster, people, received),
        waits,
    )
    bouncing = BounceLetters(broker, letterbox, owners)
    bounces = BounceDesk(broker, roster, people, received, bouncing, context.health)
    warnings = Warnings(broker, roster, bouncing)
    templates = Templates(broker, feed, readers)
    links = Links(office, outbox)
    commands = Commands(
        *(broker, roster, people, questions, outbox, held, approvals, templates),
        links=links,
        after_all=AfterAll(fanout, received),
        retention=config.retention,
        erasures=config.site.erasures,
    )
    async with serving(context, commands), asyncio.TaskGroup() as work:
        context.ready()
        work.create_task(expiry.run(broker, context.stopping))
        work.create_task(reports.run(context.stopping))
        work.create_task(waits.run(context.stopping))
        work.create_task(bounces.run(context.stopping))
        work.create_task(approvals.run(context.stopping))
        work.create_task(warnings.run(context.stopping))
        work.create_task(
            context.consume(
                subjects.BOUNCES, bounces.handle, concurrency=AT_ONCE, span="membership.bounce"
            )
        )
        work.create_task(context.consume(subjects.FANOUT, fanout.handle, span="membership.fanout"))
        work.create_task(
            context.consume(
                subjects.ANSWERS, answers.handle, concurrency=AT_ONCE, span="membership.answer"
            )
        )


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
    about="who is on which list; obeys commands by mail; turns routed posts into chunks to send",
    run=run,
)
