"""Web's I/O: what a request asks, membership is asked."""

from __future__ import annotations

import asyncio

import msgspec
from nats.errors import NoRespondersError

from postroad.httpmessage import Request, Response
from postroad.runtime.errors import Retry, SettingsError
from postroad.runtime.httplistener import Door, Listener
from postroad.runtime.service import Context, Service
from schemas import subjects
from schemas.leaving import FollowLink, Leaving, LookAtLink
from services.web.decider import decide, respond, unheard
from services.web.pages import POLICY

AT_ONCE = 16  # questions to membership; more wait their turn
ASK_SECONDS = 4.0  # for an answer, before it is asked for once more
ABSENT_SECONDS = 3.0  # that membership may be away, as when it is just started again

FIELDS = (  # of every response
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex, nofollow, noarchive"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
)

_answer = msgspec.json.Decoder(Leaving)


class Pages:
    """Answers requests."""

    def __init__(self, context: Context) -> None:
        self._context = context
        _, _, rest = context.config.site.base_url.partition("://")
        self._base = rest[len(rest.partition("/")[0]) :]
        self._room = asyncio.Semaphore(AT_ONCE)

    async def respond(self, request: Request) -> Response:
        """What a request gets. No token goes anywhere but to membership."""
        asked = decide(request, self._base)
        if isinstance(asked, Response):
            return asked
        endpoint = "leave" if isinstance(asked, FollowLink) else "leave_look"
        with self._context.telemetry.span(f"web.{endpoint}", kind="server") as span:
            try:
                async with asyncio.timeout(2 * ASK_SECONDS + ABSENT_SECONDS), self._room:
                    found = await self._ask(endpoint, asked)
            except (Retry, TimeoutError):
                found = Leaving()
            response = respond(asked, found)
            span.kept = found.standing not in ("", "unknown")  # else anybody could fill the disk
            span.attributes["http.response.status_code"] = response.status
        self._context.health.count("left", int(found.changed))
        return response

    async def _ask(self, endpoint: str, asked: LookAtLink) -> Leaving:
        """Membership's answer, asked for again where it may be lost: to repeat does no harm. Raises
        Retry where there is none."""
        loop = asyncio.get_running_loop()
        subject, data = subjects.command(endpoint), msgspec.json.encode(asked)
        until, lost = loop.time() + ABSENT_SECONDS, False
        while True:
            try:
                reply = await self._context.broker.request(subject, data, timeout=ASK_SECONDS)
            except Retry as error:
                absent = isinstance(error.__cause__, NoRespondersError)
                if loop.time() > until if absent else lost:
                    raise
                if not absent:
                    until, lost = loop.time() + ABSENT_SECONDS, True
            else:
                return _answer.decode(reply)
            await asyncio.sleep(0.1)


async def run(context: Context) -> None:
    """Answer until told to stop."""
    web = context.config.web
    if web is None:
        raise SettingsError("there is no [web] in the settings; add the section, or stop this")
    door = Door("web", web.host, web.port, "[web]", FIELDS, unheard)
    listener = Listener(door, context.health, Pages(context).respond, context.ready)
    await listener.run(context.stopping)


SERVICE = Service(
    name="web",
    about="the page behind links to leave a list, and one-click leaving",
    run=run,
)
