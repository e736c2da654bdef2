"""An IMAP folder as a source: one session after another, each listening for mail."""

from __future__ import annotations

import asyncio
from collections import Counter

from postroad.runtime.oauth import TokenError
from services.ingest.feed import Sessions
from services.ingest.imap import Mailbox
from services.ingest.intake import Intake

RENEW_SECONDS = 15.0  # between two looks at the token of an open session


class Folder:
    """The folder of a source, and what must be remembered of it from session to session."""

    def __init__(self, feed: Sessions) -> None:
        self.feed = feed
        self.source = feed.source
        self._failures: Counter[int] = Counter()
        self._token_trouble: TokenError | None = None  # though the session is open

    async def session(self) -> None:
        """Connect, log in, and take mail until stopping; with `once`, until there is no more."""
        async with Mailbox(self.source, self.feed.tokens) as mailbox:
            self.feed.reading = True
            try:
                intake = Intake(self.feed.context, self.source, mailbox, self._failures)
                self._token_trouble = self.feed.foreboding()
                await intake.begin()
                self._report(intake)
                self.feed.tried.set()
                renewing = asyncio.create_task(self._renew(intake))
                try:
                    await self._read(mailbox, intake)
                finally:
                    renewing.cancel()
            finally:
                self.feed.reading = False

    async def _read(self, mailbox: Mailbox, intake: Intake) -> None:
        stopping = self.feed.context.stopping
        while not stopping.is_set():
            try:
                await intake.drain()
            finally:
                self.feed.count(intake.publisher)
            self._report(intake)
            if self.feed.context.once:
                if intake.refusal is not None:
                    raise intake.refusal
                return
            await mailbox.wait(intake.patience, stopping)
            if not mailbox.news.is_set():
                await mailbox.noop()  # some servers go deaf in IDLE: ask as well

    async def _renew(self, intake: Intake) -> None:
        """Keep the token fresh while a session is open, which may go on for days without one:
        that a person must log in again is told now, and not when the server hangs up."""
        while self.source.oauth2 is not None:
            await asyncio.sleep(RENEW_SECONDS)
            before = self._token_trouble
            try:
                await self.feed.tokens.access(self.source)
            except TokenError as error:
                self._token_trouble = error
            else:
                self._token_trouble = self.feed.foreboding()
            if before or self._token_trouble:
                self._report(intake)

    def _report(self, intake: Intake) -> None:
        self.feed.report(self._token_trouble or intake.trouble)
