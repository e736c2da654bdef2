"""NATS micro endpoints: a request in, an answer out, never a traceback."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import structlog
from nats.micro.request import Request

from postroad.runtime import instruments
from postroad.runtime.apierror import ApiError
from postroad.runtime.errors import Retry
from postroad.runtime.micro import answering
from postroad.runtime.service import Context
from postroad.runtime.telemetry import about
from schemas import addresses, hindsight, leaving, mass, subjects, templates
from schemas import commands as requests
from schemas.commands import Answer, Command
from schemas.whose import WhereReached, WhoseAddress
from services.membership import whose
from services.membership.commands import Commands
from services.membership.erasing import Erasure
from services.membership.hindsight import Hindsight
from services.membership.refused import Refused

log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


async def _erase(commands: Commands, ask: requests.EraseMember) -> Answer:
    erasure = Erasure(
        commands.broker,
        commands.roster,
        commands.people,
        commands.retention,
        notes=commands.erasures,
    )
    try:
        return Answer(erasure=await (erasure.sweep(ask) if ask.stream else erasure.person(ask)))
    except ApiError as error:  # what was erased before it is erased; again finishes the rest
        text = f"not everything is erased, for {error}; give the command again"
        raise Refused("unavailable", text) from error


def _hindsight(commands: Commands) -> Hindsight:
    languages = commands.templates.readers.site.languages
    return Hindsight(commands.roster.feed, commands.people, languages)


# endpoint -> what it is asked with, and what answers
TABLE: dict[str, tuple[type[Command], Callable[[Commands, Any], Awaitable[Command]]]] = {
    "whois": (requests.WhoIs, Commands.whois),
    "list_create": (requests.CreateList, Commands.list_create),
    "list_set": (requests.ConfigureList, Commands.list_set),
    "list_show": (requests.ShowList, Commands.list_show),
    "list_ls": (requests.ListLists, Commands.list_ls),
    "list_close": (requests.CloseList, Commands.list_close),
    "subscribe": (requests.Subscribe, Commands.subscribe),
    "unsubscribe": (requests.Unsubscribe, Commands.unsubscribe),
    "member_set": (requests.ChangeMember, Commands.member_set),
    "member_address": (
        addresses.ChangeAddress,
        lambda commands, ask: commands.moving.member_address(ask),
    ),
    "import": (mass.ImportMembers, Commands.import_members),
    "undo": (mass.UndoChange, Commands.undo),
    "roster": (requests.RosterPage, Commands.roster_page),
    "member_bounces": (requests.MemberBounces, Commands.member_bounces),
    "member_history": (requests.MemberHistory, lambda asked, ask: asked.history.member(ask)),
    "list_history": (requests.ListHistory, lambda asked, ask: asked.history.list_(ask)),
    "roster_past": (requests.PastPage, lambda asked, ask: asked.history.past(ask)),
    "consent": (requests.PersonConsent, lambda asked, ask: asked.history.consent(ask)),
    "whose": (
        WhoseAddress,
        lambda asked, ask: whose.address(asked.broker, asked.roster, asked.people, ask),
    ),
    "reached": (WhereReached, lambda asked, ask: whose.reached(asked.roster, ask)),
    "member_erase": (requests.EraseMember, _erase),
    "retry": (requests.RetryFailed, Commands.retry),
    "held_ls": (requests.ListHeld, Commands.held_ls),
    "held_show": (requests.ShowHeld, Commands.held_show),
    "held_decide": (requests.DecideHeld, Commands.held_decide),
    "letter_ls": (templates.ListLetters, lambda commands, ask: commands.templates.ls(ask)),
    "letter_set": (templates.SetLetter, lambda commands, ask: commands.templates.set_(ask)),
    "letter_preview": (
        templates.PreviewLetter,
        lambda commands, ask: commands.templates.preview(ask),
    ),
    "request_ls": (requests.ListRequests, lambda commands, ask: commands.approvals.ls(ask)),
    "request_decide": (
        requests.DecideRequest,
        lambda commands, ask: commands.approvals.request_decide(ask),
    ),
    "past_facts": (hindsight.PastFacts, lambda asked, ask: _hindsight(asked).facts(ask)),
    "past_audience": (hindsight.PastAudience, lambda asked, ask: _hindsight(asked).audience(ask)),
    "propose": (hindsight.ProposeSettings, lambda asked, ask: _hindsight(asked).propose(ask)),
    "let_through": (hindsight.LetThrough, lambda asked, ask: asked.after_all.let_through(ask)),
    "missing": (hindsight.MissingCopies, lambda asked, ask: asked.after_all.missing(ask)),
    "leave_look": (leaving.LookAtLink, lambda commands, ask: commands.links.look(ask)),
    "leave": (leaving.FollowLink, lambda commands, ask: commands.links.follow(ask)),
}


@contextlib.asynccontextmanager
async def serving(context: Context, commands: Commands) -> AsyncIterator[None]:
    """Answer for the length of the block, then finish what was begun."""
    table = {name: partial(_answer, context, commands, name) for name in TABLE}
    async with answering(context.broker, "membership", "who is on which list", table):
        yield


async def _answer(context: Context, commands: Commands, name: str, request: Request) -> None:
    asked = about(subjects.command(name), "process")
    with context.telemetry.consumer(f"membership.{name}", request.headers, asked) as span:
        answer = await _run(commands, name, request.data)
        if isinstance(answer, Answer) and answer.code:
            span.attributes["postroad.refused"] = answer.code
        span.kept = not (isinstance(answer, leaving.Leaving) and answer.standing == "unknown")
    refused = isinstance(answer, Answer) and bool(answer.code)
    context.health.metrics.add(instruments.COMMANDS, name, "refused" if refused else "done")
    context.health.count(name)
    with contextlib.suppress(Exception):
        if name == "whois" and isinstance(answer, Answer):
            # no Author: an error by NATS micro's own rule, so that nobody reads it as one
            await request.respond_error(code=answer.code, description=answer.refused)
        else:
            await request.respond(_encode(answer))


async def _run(commands: Commands, name: str, data: bytes) -> Command:
    kind, handler = TABLE[name]
    try:
        return await handler(commands, msgspec.json.decode(data, type=kind))
    except Refused as refused:
        return Answer(code=refused.code, refused=str(refused))
    except msgspec.MsgspecError as error:
        return Answer(code="bad_request", refused=f"not a request for {name}: {error}")
    except Retry as retry:
        return Answer(code="unavailable", refused=f"not now, try again: {retry.reason}")
    except Exception as bug:  # noqa: BLE001 - whoever asked gets an answer
        where = traceback.extract_tb(bug.__traceback__)[-1]
        at = f"{where.name}:{where.lineno}"
        # not the traceback: it could show an address
        log.error("command.bug", command=name, error=type(bug).__name__, at=at)  # noqa: TRY400
        return Answer(code="bug", refused=f"membership failed at {name}; its log says more")
