"""One IMAP folder (RFC 3501): search, fetch, flag, move, wait for news."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Self, TypeVar

from postroad.runtime.config import Source
from postroad.runtime.oauth import Tokens
from services.ingest import syntax
from services.ingest.decider import Selected
from services.ingest.login import Account
from services.ingest.syntax import Row
from services.ingest.trouble import no_folder

T = TypeVar("T")

IDLE_SECONDS = 540.0  # RFC 2177 asks for less than 29 minutes; middleboxes forget after 10
ENOUGH_SECONDS = 1.0  # between two IDLEs where the server ends them by itself
PART = 1 << 20  # octets of a large mail fetched at once (20 MB in 56 ms)
UIDS = 100  # in one STORE, MOVE or EXPUNGE, whose answer is a line each


class Mailbox(Account):
    """A selected folder, as an async context manager. One command at a time.

    Every method raises MailboxError where the server refuses, is silent for too long or hangs
    up, or renumbers the folder; the connection is of no use afterwards, but for a Refused.
    `news` is set when new mail was announced since the last search; `read_only` when nothing
    can be flagged.
    """

    selected: Selected
    read_only = False
    _uidvalidity = 0
    _deaf = False  # the server refuses IDLE

    def __init__(self, source: Source, tokens: Tokens | None = None) -> None:
        super().__init__(source, tokens)
        self.news = self._imap.news
        self._copied: set[int] = set()  # by COPY, whether or not they could be deleted after it

    async def __aenter__(self) -> Self:
        try:
            await self.open()
            self.selected = await self._select()
        except BaseException:
            await self.close(politely=False)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close(politely=kind is None)

    async def _select(self) -> Selected:
        folder = self.source.folder
        if self.source.after.casefold() == f"move:{folder}".casefold():
            # each move would bring new mail
            raise self._error("after moves mail to the folder it comes from", lasting=True)
        argument = self._argument("folder", folder, syntax.folder_argument)
        answer = await self._run(self._imap.select(argument))
        if answer.result != "OK":
            raise no_folder(self.source, answer.lines[-1], bad=answer.result == "BAD")
        self.read_only = b"[READ-ONLY]" in answer.lines[-1].upper()
        if self.read_only and self.source.after != "seen":
            what = f'folder "{folder}" is read-only for this user, so mail cannot leave it'
            raise self._error(
                what, 'give it the right to change the folder, or set after = "seen"', lasting=True
            )
        uidvalidity = syntax.response_code(answer.lines, "UIDVALIDITY")
        if not uidvalidity:  # 0 is none (RFC 3501 section 9): UIDs would mean nothing tomorrow
            raise self._error(f'the server tells no UIDVALIDITY of folder "{folder}"', lasting=True)
        self._uidvalidity = self._imap.uidvalidity = uidvalidity
        return Selected(folder=folder, uidvalidity=uidvalidity)

    async def _within(self, seconds: float | None, command: Awaitable[T]) -> T:
        answer = await super()._within(seconds, command)
        if self._uidvalidity != self._imap.uidvalidity and self._uidvalidity:
            raise self._error("the server renumbered the folder")  # our UIDs are other mails now
        return answer

    # --- reading ------------------------------------------------------------------------------

    async def search(self, first: int) -> list[int]:
        """The UIDs there are from `first` on, ascending."""
        self.news.clear()
        answer = await self._do(
            "SEARCH", self._imap.search(f"UID {first}:*", charset=None, by_uid=True)
        )
        # n:* always holds the last mail, even one below n (RFC 3501 section 6.4.8)
        return [uid for uid in syntax.searched(answer.lines) if uid >= first]

    async def listing(self, uids: Sequence[int]) -> list[Row]:
        """Size, date and flags of mails, by UID; some hundreds at once. Mails that are gone are
        missing."""
        answer = await self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE FLAGS)")
        wanted = set(uids)
        return [row for row in syntax.listed(answer.lines) if row.uid in wanted]

    async def fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The bytes of small mails by UID, which stay unread. Mails that are gone, or that
        the server does not hand out, are missing."""
        answer = await self._fetch(uids, "(UID BODY.PEEK[])")
        return syntax.bodies(answer.lines)

    async def fetch_large(self, uid: int, largest: int) -> dict[int, bytes]:
        """As `fetch`, for one large mail: read in parts, and no further than the part that
        passes `largest` octets, whatever size the server said it has."""
        parts: list[bytes] = []
        while not parts or (len(parts[-1]) == PART and len(parts) * PART <= largest):
            answer = await self._fetch([uid], f"(UID BODY.PEEK[]<{len(parts) * PART}.{PART}>)")
            part = syntax.bodies(answer.lines).get(uid)
            if part is None:
                return {}
            parts.append(part)
        return {uid: b"".join(parts)}

    async def _fetch(self, uids: Sequence[int], items: str) -> Any:
        # aioimaplib's own deadline, which starts anew with every piece that comes in
        answer = await self._within(
            None,
            self._imap.fetch(syntax.uid_set(uids), items, by_uid=True, timeout=self.ANSWER_SECONDS),
        )
        if b"[EXPUNGEISSUED]" not in answer.lines[-1].upper():
            self._check(answer, "FETCH")
        return answer  # or NO, with data: some of the mails are gone (RFC 5530)

    # --- afterwards ---------------------------------------------------------------------------

    async def set_seen(self, uids: Sequence[int]) -> None:
        """Flag mails as read."""
        await self._uid("STORE", uids, "+FLAGS.SILENT (\\Seen)")

    async def delete(self, uids: Sequence[int]) -> None:
        """Delete mails, and never one that somebody else marked deleted: on a server without
        UIDPLUS (RFC 4315) they stay marked until no other mail is."""
        await self._uid("STORE", uids, "+FLAGS.SILENT (\\Seen \\Deleted)")
        if "UIDPLUS" in self._imap.capabilities:
            await self._uid("EXPUNGE", uids)
            return
        marked = await self._do("SEARCH", self._imap.search("DELETED", charset=None, by_uid=True))
        if set(syntax.searched(marked.lines)) <= set(uids):
            await self._do("EXPUNGE", self._imap.expunge())

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails to a folder, which is created where it is missing."""
        target = self._argument("after", folder, syntax.folder_argument)
        if "MOVE" in self._imap.capabilities:  # RFC 6851
            await self._uid("MOVE", uids, target)
        else:
            # a crash in between leaves a second copy in `folder`, nothing worse
            await self._uid("COPY", [uid for uid in uids if uid not in self._copied], target)
            self._copied.update(uids)
            await self.delete(uids)

    async def _uid(self, name: str, uids: Sequence[int], *rest: str) -> None:
        for start in range(0, len(uids), UIDS):
            some = syntax.uid_set(uids[start : start + UIDS])
            answer = await self._run(self._imap.uid(name, some, *rest))
            if b"[TRYCREATE]" in answer.lines[-1].upper():
                await self._do("CREATE", self._imap.simple_command("CREATE", *rest))
                answer = await self._run(self._imap.uid(name, some, *rest))
            self._check(answer, name)

    # --- waiting ------------------------------------------------------------------------------

    async def noop(self) -> None:
        """Let the server say what it has to say."""
        await self._do("NOOP", self._imap.simple_command("NOOP"))

    async def wait(self, seconds: float, stopping: asyncio.Event) -> None:
        """Until new mail is announced, `stopping` is set, or `seconds` (at most IDLE_SECONDS)
        have passed. Listens by IDLE (RFC 2177) where source and server have it."""
        if self.news.is_set():
            return
        stop: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
        try:
            seconds = min(seconds, IDLE_SECONDS)
            if self.source.idle and "IDLE" in self._imap.capabilities and not self._deaf:
                await self._idle(seconds, stop)
            else:
                await self._any(seconds, stop)
        finally:
            stop.cancel()

    async def _any(self, seconds: float, *futures: asyncio.Future[Any]) -> None:
        """Until one of them is done, the connection is lost, or time is up."""
        await asyncio.wait(
            [*futures, self._lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )

    async def _idle(self, seconds: float, stop: asyncio.Future[Any]) -> None:
        news: asyncio.Future[Any] = asyncio.ensure_future(self.news.wait())
        idle: asyncio.Future[Any] = asyncio.ensure_future(self._imap.idle())
        begun: asyncio.Future[Any] = asyncio.ensure_future(self._imap.wait_for_idle_response())
        try:
            await self._first(self.ANSWER_SECONDS, begun, idle)
            await self._any(seconds, news, idle, stop)
            ended = idle.done()  # by the server
            if not ended and not self._lost.done():
                self._imap.idle_done()
            answer = await self._run(idle)
        finally:
            for task in (news, idle, begun):
                task.cancel()
        self._deaf = answer.result != "OK"  # it has no IDLE after all: ask every now and then
        if ended:
            await self._any(seconds if self._deaf else ENOUGH_SECONDS, stop)
