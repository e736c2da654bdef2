"""A look at a folder that changes nothing in it, for `postroad doctor`: EXAMINE, never SELECT."""

from __future__ import annotations

from typing import Any

import aioimaplib

from services.ingest import glance, syntax
from services.ingest.glance import Glance
from services.ingest.login import Account

NEWEST = 10  # mails whose headers are read
FARTHEST = 50  # and as many where none of these tells who writes Authentication-Results
HEADER_OCTETS = 16_384  # of each


class Examiner(Account):
    """A connection that opens the folder for reading only: `connect`, `log_in`, `glance`,
    `close`. Each raises MailboxError where it fails. Somebody waits: it has less patience."""

    CONNECT_SECONDS = 5.0
    ANSWER_SECONDS = 6.0

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers, in capitals."""
        return frozenset(self._imap.capabilities)

    async def glance(self) -> Glance:
        """Open the folder by EXAMINE, and look at it."""
        argument = self._argument("folder", self.source.folder, syntax.folder_argument)
        opened = await self._execute("EXAMINE", argument)
        if opened.result != "OK":
            raise self._error(f'there is no folder "{self.source.folder}"', "check folder")
        self._imap.state = aioimaplib.aioimaplib.SELECTED
        mails = glance.exists(opened.lines)
        unread = await self._do("SEARCH", self._imap.search("UNSEEN", charset=None))
        newest = await self._headers(mails - NEWEST, mails)
        older: tuple[bytes, ...] = ()
        if not any(map(glance.has_results, newest)):
            older = await self._headers(mails - FARTHEST, mails - NEWEST)
        return Glance(
            mails=mails,
            unread=len(syntax.searched(unread.lines)),
            flags=glance.permanent_flags(opened.lines),
            rights=await self._rights(argument),
            newest=newest,
            older=older,
        )

    async def _rights(self, argument: str) -> str | None:
        if "ACL" not in self.capabilities:
            return None
        answer = await self._execute("MYRIGHTS", argument)
        return glance.rights(answer.lines) if answer.result == "OK" else None

    async def _headers(self, after: int, last: int) -> tuple[bytes, ...]:
        """The header blocks of the mails with the numbers between these."""
        if last < 1:
            return ()
        wanted = f"{max(0, after) + 1}:{last}"
        items = f"(BODY.PEEK[HEADER]<0.{HEADER_OCTETS}>)"
        answer = await self._do("FETCH", self._imap.fetch(wanted, items))
        return glance.literals(answer.lines)

    async def _execute(self, name: str, *arguments: str) -> Any:
        command = aioimaplib.Command(name, self._imap.new_tag(), *arguments)
        return await self._run(self._imap.execute(command))
