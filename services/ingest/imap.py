"""One connection to one IMAP folder (RFC 3501), over aioimaplib.

aioimaplib never fails a command whose connection is gone, sets few of them a deadline and drops
what a server announces between commands. `Mailbox` adds that: every call here ends, in an answer
or in a MailboxError.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import aioimaplib

from postroad.runtime.config import Source
from services.ingest import syntax
from services.ingest.decider import Selected
from services.ingest.syntax import Row
from services.ingest.trouble import MailboxError, Refused, unreachable

T = TypeVar("T")

CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 30.0  # for an answer; of a FETCH, for its next piece
IDLE_SECONDS = 540.0  # RFC 2177 asks for less than 29 minutes; middleboxes forget after 10
PART = 1 << 20  # octets of a large mail fetched at once (20 MB in 56 ms)
PIECE = 4096  # octets handed to aioimaplib at once where they hold many lines
UIDS = 100  # in one STORE, MOVE or EXPUNGE, whose answer is a line each

# its debug lines hold passwords and mail, its warnings whole protocol lines
logging.getLogger("aioimaplib").setLevel(logging.CRITICAL)


class _Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc]
    """aioimaplib's protocol, which also tells that new mail was announced."""

    def __init__(self, lost: asyncio.Future[None], news: asyncio.Event) -> None:
        super().__init__(asyncio.get_running_loop())
        self.lost = lost
        self.news = news

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        # aioimaplib recurses once a line: a thousand EXPUNGE lines at once would be its end
        step = PIECE if data.count(b"\n") > 200 else len(data)
        for start in range(0, len(data), step):
            super().data_received(data[start : start + step])

    def _untagged_response(self, line: bytes) -> Any:
        if line.upper().endswith(b" EXISTS"):
            self.news.set()
        return super()._untagged_response(line)


class Mailbox:
    """A selected folder, as an async context manager. One command at a time.

    Every method raises MailboxError where the server refuses, is silent for ANSWER_SECONDS or
    hangs up; the connection is of no use afterwards.
    """

    selected: Selected

    def __init__(self, source: Source) -> None:
        self.source = source
        self.news = asyncio.Event()  # new mail was announced since the last search
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._imap = _Protocol(self._lost, self.news)

    async def __aenter__(self) -> Self:
        try:
            await self._connect()
            await self._login()
            self.selected = await self._select()
        except BaseException:
            self._hang_up()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(MailboxError):
            if kind is None and not self._lost.done():
                await self._run(self._imap.logout(), 2.0)
        self._hang_up()

    def _hang_up(self) -> None:
        for task in self._imap.tasks:  # its greeting, which may wait for ever
            task.cancel()
        if self._imap.transport is not None:
            self._imap.transport.abort()

    # --- opening ------------------------------------------------------------------------------

    async def _connect(self) -> None:
        if self.source.tls == "starttls":
            raise self._error('tls = "starttls" is not possible yet', 'use tls = "implicit"')
        context = ssl.create_default_context() if self.source.tls == "implicit" else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: self._imap, self.source.host, self.source.port, ssl=context
                )
        except (OSError, TimeoutError) as error:
            raise unreachable(self.source, error) from error
        try:
            await self._run(self._imap.wait("AUTH|NONAUTH"), CONNECT_SECONDS)
        except MailboxError as error:
            where = f"{self.source.host}:{self.source.port}"
            what = f"{where} does not greet as an IMAP server ({error.what})"
            raise self._error(what, "check port and tls") from error

    async def _login(self) -> None:
        if self._imap.state == aioimaplib.aioimaplib.AUTH:
            return  # PREAUTH
        if "LOGINDISABLED" in self._imap.capabilities:
            raise self._error("the server takes no password without TLS", 'set tls = "implicit"')
        user, password = self.source.user, self.source.password()
        if user.isascii() and password.isascii():
            self._argument("password_file", password, syntax.quote)  # aioimaplib quotes it itself
            login = self._imap.login(self._argument("user", user, syntax.quote), password)
        elif {"AUTH=PLAIN", "SASL-IR"} <= self._imap.capabilities:
            login = self._plain(user, password)  # a quoted string is ASCII (RFC 3501 section 9)
        else:
            raise self._error("the server takes only ASCII in user and password")
        answer = await self._run(login, ANSWER_SECONDS)
        if answer.result != "OK":
            # the server's text may repeat the user; its response code is enough
            if b"[UNAVAILABLE]" in answer.lines[-1].upper():
                raise self._error("the server cannot check passwords at present")
            raise self._error(
                "the server refused the login", "check user and password_file", lasting=True
            )
        await self._run(self._imap.capability(), ANSWER_SECONDS)

    async def _plain(self, user: str, password: str) -> Any:
        # SASL PLAIN (RFC 4616) with an initial response (RFC 4959)
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        command = aioimaplib.Command("AUTHENTICATE", self._imap.new_tag(), "PLAIN", token)
        answer = await self._imap.execute(command, scrub=token)
        if answer.result == "OK":
            self._imap.state = aioimaplib.aioimaplib.AUTH
        return answer

    async def _select(self) -> Selected:
        folder = self.source.folder
        if self.source.after.casefold() == f"move:{folder}".casefold():
            # each move would bring new mail
            raise self._error("after moves mail to the folder it comes from", lasting=True)
        argument = self._argument("folder", folder, syntax.folder_argument)
        answer = await self._run(self._imap.select(argument), ANSWER_SECONDS)
        if answer.result != "OK":
            raise self._error(f'there is no folder "{folder}"', "check folder", lasting=True)
        if b"[READ-ONLY]" in answer.lines[-1].upper():
            raise self._error(f'folder "{folder}" is read-only for this user', lasting=True)
        uidvalidity = syntax.response_code(answer.lines, "UIDVALIDITY")
        uidnext = syntax.response_code(answer.lines, "UIDNEXT")
        if not uidvalidity:
            raise self._error(f'the server tells no UIDVALIDITY of folder "{folder}"', lasting=True)
        if uidnext is None:
            uidnext = max(await self.search(1), default=0) + 1
        return Selected(folder=folder, uidvalidity=uidvalidity, uidnext=uidnext)

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
        answer = await self._run(
            self._imap.fetch(syntax.uid_set(uids), items, by_uid=True, timeout=ANSWER_SECONDS), None
        )
        if answer.result == "BAD":
            self._check(answer, "FETCH")
        return answer  # NO comes with data: some of the mails were expunged (RFC 5530)

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
            await self._uid("COPY", uids, target)
            await self.delete(uids)

    async def _uid(self, name: str, uids: Sequence[int], *rest: str) -> None:
        for start in range(0, len(uids), UIDS):
            some = syntax.uid_set(uids[start : start + UIDS])
            answer = await self._run(self._imap.uid(name, some, *rest), ANSWER_SECONDS)
            if b"[TRYCREATE]" in answer.lines[-1].upper():
                await self._do("CREATE", self._imap.simple_command("CREATE", *rest))
                answer = await self._run(self._imap.uid(name, some, *rest), ANSWER_SECONDS)
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
            if self.source.idle and "IDLE" in self._imap.capabilities:
                await self._idle(seconds, stop)
            else:
                await asyncio.wait(
                    [stop, self._lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            stop.cancel()

    async def _idle(self, seconds: float, stop: asyncio.Future[Any]) -> None:
        news: asyncio.Future[Any] = asyncio.ensure_future(self.news.wait())
        idle: asyncio.Future[Any] = asyncio.ensure_future(self._imap.idle())
        begun: asyncio.Future[Any] = asyncio.ensure_future(self._imap.wait_for_idle_response())
        try:
            await self._first(ANSWER_SECONDS, begun, idle)
            await asyncio.wait(
                [news, idle, stop, self._lost],
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not idle.done() and not self._lost.done():
                self._imap.idle_done()
            self._check(await self._run(idle, ANSWER_SECONDS), "IDLE")
        finally:
            for task in (news, idle, begun):
                task.cancel()
        while not self._imap.idle_queue.empty():  # `news` has told what it says
            self._imap.idle_queue.get_nowait()

    # --- every command ------------------------------------------------------------------------

    async def _do(self, name: str, command: Awaitable[Any]) -> Any:
        answer = await self._run(command, ANSWER_SECONDS)
        self._check(answer, name)
        return answer

    async def _run(self, command: Awaitable[T], seconds: float | None) -> T:
        task = asyncio.ensure_future(command)
        try:
            await self._first(seconds, task)
            return task.result()
        except aioimaplib.CommandTimeout:
            raise self._error("the server does not answer") from None
        except RuntimeError as error:  # uvloop: the transport was closed meanwhile
            raise self._error("the server closed the connection") from error
        except aioimaplib.AioImapException as error:
            raise self._error(f"the server broke the protocol ({type(error).__name__})") from error
        finally:
            task.cancel()

    async def _first(self, seconds: float | None, *tasks: asyncio.Future[Any]) -> None:
        """Until one of `tasks` is done."""
        await asyncio.wait(
            [*tasks, self._lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not any(task.done() for task in tasks):
            lost = self._lost.done()
            raise self._error(
                "the server closed the connection" if lost else "the server does not answer"
            )

    def _check(self, answer: Any, name: str) -> None:
        if answer.result != "OK":
            code = re.search(rb"\[[A-Z-]+\]", answer.lines[-1])
            why = f" {code[0].decode()}" if code else ""
            raise Refused(self.source, f"the server refused {name}{why}")

    def _argument(self, setting: str, text: str, encode: Callable[[str], str]) -> str:
        try:
            return encode(text)
        except ValueError as error:
            raise self._error(f"{setting} {error}", f"check {setting}", lasting=True) from None

    def _error(self, what: str, remedy: str = "", *, lasting: bool = False) -> MailboxError:
        return MailboxError(self.source, what, remedy, lasting=lasting)
