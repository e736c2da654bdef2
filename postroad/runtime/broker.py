"""JetStream as Postroad uses it: connected for ever, every publish awaited, reads by direct get.

nats-py lacks or gets wrong what stands here (atomic batches, batch direct get, futures that never
resolve after a disconnect), so every stream call of the product goes through this one class.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from postroad.runtime import cancelling, following, telemetry, wire
from postroad.runtime.apierror import CONFLICTS, NO_ROOM, PASSING, Ack, ApiError, Refusal
from postroad.runtime.clock import new_id
from postroad.runtime.errors import (
    BrokerUnavailable,
    Conflict,
    NoRoom,
    PostroadError,
    Retry,
    SettingsError,
)
from postroad.runtime.groupcommit import REPLY_SECONDS, GroupCommit, Sealed, store, store_all
from postroad.runtime.inbox import Inbox, Reply
from postroad.runtime.stored import Stored
from schemas import subjects

BATCH_LIMIT = 1000  # messages in one atomic batch; the server refuses more (10199)
PATIENCE_SECONDS = 15.0  # for a publish to succeed across elections and restarts
FULL_SECONDS = 1.0  # for a publish where there is no room, which nobody makes in seconds
READ_BYTES = 8 << 20  # of one page of a batch direct get; below the 64 MB a server lets pend

cancelling.mend()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """A message to store. `expect` is the last sequence its subject must have (0: none)."""

    subject: str
    data: bytes
    expect: int | None = None
    expect_filter: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


_json = msgspec.json.Encoder().encode


class Broker:
    """One connection to NATS."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.inbox = Inbox(nc)
        self._commits: dict[str, GroupCommit] = {}  # by stream
        self.closing = False
        self.alone = False  # nothing else runs there: it was started for this command
        self.reconnected: list[Callable[[], None]] = []  # called after each reconnect
        self.room: Callable[[bool], None] | None = None  # told when there is no room, or again
        self._has_room = True

    @classmethod
    async def connect(
        cls, url: str, *, name: str, creds_file: str = "", wait: float = 10.0
    ) -> Self:
        """Connect, waiting up to `wait` seconds for a broker that is starting. Once connected,
        reconnects for ever. Raises PostroadError naming the address, never the password."""
        nc = Client()
        wire.install(nc)
        broker = cls(nc)
        problems: list[Exception] = []

        async def on_reconnect() -> None:
            log.info("broker.reconnected")
            for callback in tuple(broker.reconnected):
                callback()

        async def on_disconnect() -> None:
            broker.inbox.broken()
            if not broker.closing:
                log.warning("broker.disconnected")

        async def on_error(error: Exception) -> None:
            problems[:] = [error]
            log.debug("broker.error", error=type(error).__name__)

        if creds_file and importlib.util.find_spec("nkeys") is None:
            raise SettingsError(
                "broker.creds_file needs the Python package nkeys, which is not installed with us; "
                "install it beside Postroad, or put user and password into broker.url"
            )
        options: dict[str, Any] = {"user_credentials": creds_file} if creds_file else {}
        try:
            async with asyncio.timeout(wait):
                await nc.connect(
                    url,
                    name=f"postroad-{name}",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,  # type: ignore[arg-type]
                    ping_interval=15,
                    connect_timeout=3,
                    pending_size=64 << 20,
                    error_cb=on_error,
                    disconnected_cb=on_disconnect,
                    reconnected_cb=on_reconnect,
                    **options,
                )
                await broker.inbox.open()
                await broker.inbox.ask("$JS.API.INFO", b"", None, REPLY_SECONDS)
        except (NatsError, OSError) as error:
            broker.closing = True
            with contextlib.suppress(Exception):
                await nc.close()
            raise PostroadError(_unreachable(url, problems[-1] if problems else error)) from error
        return broker

    async def close(self) -> None:
        """Send what is buffered and hang up."""
        self.closing = True
        with contextlib.suppress(Exception):
            await self.nc.flush(timeout=2)
        with contextlib.suppress(Exception):
            await self.nc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- storing ------------------------------------------------------------------------------

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        expect: int | None = None,
        expect_filter: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE_SECONDS,
    ) -> int:
        """Store one message and return its sequence, once the broker has it on disk.

        `expect` is the last sequence the subject (or `expect_filter`) must have. Asks again with
        the same bytes until `timeout` seconds have passed. Raises Conflict where another message
        was stored first (never for an earlier try of this very call), BrokerUnavailable where
        nothing could be learned in time, ApiError where the broker refuses for good.
        """
        head = Sealed.headers(telemetry.inject(), headers or {}, expect, expect_filter)
        message = Sealed(subject, data, head)
        if expect is None:
            head["Nats-Msg-Id"] = new_id()  # one of these known already would refuse a whole batch
            return await self._stored(lambda: store(self.inbox, message), subject, data, timeout)
        stream = subjects.stream_of(subject)
        commit = self._commits.get(stream)
        if commit is None:
            commit = self._commits[stream] = GroupCommit(self.inbox)
        return await self._stored(lambda: commit.store(message), subject, data, timeout)

    async def publish_batch(self, messages: Sequence[Message]) -> int:
        """Store up to 1,000 messages of one stream, all or none; returns the last sequence.

        Costs a fixed 2 ms on one node, so it pays from about 12 messages. Raises Conflict where
        an expected sequence does not hold (nothing is stored), BrokerUnavailable, ApiError.
        """
        if len(messages) == 1:
            only = messages[0]
            return await self.publish(
                only.subject,
                only.data,
                expect=only.expect,
                expect_filter=only.expect_filter,
                headers=only.headers,
            )
        trace = telemetry.inject()
        sealed = [
            Sealed(m.subject, m.data, Sealed.headers(trace, m.headers, m.expect, m.expect_filter))
            for m in messages
        ]
        return await self._stored(
            lambda: store_all(self.inbox, sealed), *sealed[-1][:2], PATIENCE_SECONDS
        )

    async def _stored(
        self, send: Callable[[], Awaitable[Ack]], subject: str, data: bytes, patience: float
    ) -> int:
        """Try to store until it is known to be so; `subject` and `data` are of the last message,
        by which an earlier try that was stored, but not answered, is recognised."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        deadline = begun + patience
        tries, full = 0, False
        while True:
            tries += 1
            try:
                ack = await send()
            except (NatsError, OSError) as error:
                problem = type(error).__name__
            else:
                if ack.error is None:
                    self._found_room(there=True)
                    return ack.seq
                if ack.error.err_code in CONFLICTS:
                    last = (
                        await self.last(subjects.stream_of(subject), subject) if tries > 1 else None
                    )
                    if last is not None and last.data == data:
                        return last.seq
                    raise Conflict(subject)
                if ack.error.code < 500 and ack.error.err_code not in PASSING:
                    raise ApiError(subject, ack.error)
                problem = ack.error.description
                if ack.error.err_code in NO_ROOM:
                    self._found_room(there=False)
                full = ack.error.err_code in NO_ROOM and loop.time() > begun + FULL_SECONDS
            if full or loop.time() > deadline:
                late = f"the broker did not store a message in time: {problem}"
                raise NoRoom(late, patience) if full else BrokerUnavailable(late)
            await asyncio.sleep(min(0.05 * 2**tries, 1.0))

    def _found_room(self, *, there: bool) -> None:
        if there != self._has_room:
            self._has_room = there
            if self.room is not None:
                self.room(there)

    # --- reading ------------------------------------------------------------------------------

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The last message of a subject (wildcards allowed), or None."""
        return await self._direct_get(stream, {"last_by_subj": subject})

    async def next(self, stream: str, subject_filter: str, start_seq: int) -> Stored | None:
        """The first message of this filter from a sequence on, or None."""
        return await self._direct_get(stream, {"seq": start_seq, "next_by_subj": subject_filter})

    async def get(self, stream: str, seq: int) -> Stored | None:
        """The message with this sequence, or None where it was deleted."""
        return await self._direct_get(stream, {"seq": seq})

    async def _direct_get(self, stream: str, what: Mapping[str, object]) -> Stored | None:
        reply = await self._ask(f"$JS.API.DIRECT.GET.{stream}", _json(what))
        if reply.headers.get("Status") == "404":
            return None
        return _stored(reply.headers, reply.data)

    async def _ask(self, subject: str, data: bytes) -> Reply:
        """A request that is asked again until it is answered, within the usual patience."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self.inbox.ask(subject, data, None, REPLY_SECONDS)
            except (NatsError, OSError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise BrokerUnavailable(f"no answer from {subject}") from error
                await asyncio.sleep(0.1)

    async def scan(
        self, stream: str, subject_filter: str, start_seq: int = 1, *, start_time: str = ""
    ) -> AsyncIterator[Stored]:
        """Every message of `subject_filter` from `start_seq` (or `start_time`, RFC 3339) up to
        the end as it is when reached; about 40,000 messages a second."""
        ask: dict[str, object] = {"next_by_subj": subject_filter, "batch": 1000}
        ask["max_bytes"] = READ_BYTES
        if start_time:
            ask["start_time"] = start_time
        else:
            ask["seq"] = max(start_seq, 1)
        while True:
            page, pending = await self._page(stream, ask)
            for stored in page:
                yield stored
            if not page or not pending:
                return
            ask.pop("start_time", None)
            ask["seq"] = page[-1].seq + 1

    def follow(
        self, stream: str, subject_filter: str, start_seq: int = 1
    ) -> AsyncIterator[list[Stored]]:
        """Every message from `start_seq` on, for ever, in order, in batches as they come."""
        return following.follow(self, stream, subject_filter, start_seq)

    async def last_many(self, stream: str, names: Iterable[str]) -> dict[str, Stored]:
        """The last message of each of these subjects, where there is one. One with a wildcard
        stands for a single subject that nobody can spell out."""
        found: dict[str, Stored] = {}
        wanted = list(names)
        for start in range(0, len(wanted), 500):  # the server answers 413 above about 1,000
            page, _ = await self._page(stream, {"multi_last": wanted[start : start + 500]})
            found.update((stored.subject, stored) for stored in page)
        return found

    async def _page(self, stream: str, ask: Mapping[str, object]) -> tuple[list[Stored], int]:
        """One answer to a batch direct get, asked again from the start where it breaks off."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._try_page(stream, ask)
            except (NatsError, OSError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise BrokerUnavailable(f"stream {stream} could not be read") from error
                await asyncio.sleep(0.1)

    async def _try_page(self, stream: str, ask: Mapping[str, object]) -> tuple[list[Stored], int]:
        page: list[Stored] = []
        over: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def take(_: bytes, __: bytes, head: bytes, data: bytes) -> None:
            said = wire.fields(head)
            status = said.get("Status")
            if status is None:
                page.append(_stored(said, data))
            elif not over.done():
                if status in ("204", "404"):
                    over.set_result(int(said.get("Nats-Num-Pending", "0")))
                else:
                    over.set_exception(NoRespondersError())

        inbox = self.nc.new_inbox()
        subscription = await self.nc.subscribe(inbox, cb=wire.nothing)
        untap = wire.tap(self.nc, subscription, take)
        try:
            asking = self.nc.publish(f"$JS.API.DIRECT.GET.{stream}", _json(ask), reply=inbox)
            pending = await self.inbox.owed(asking, over, REPLY_SECONDS)
        finally:
            untap()
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()
        return page, pending

    # --- the rest -----------------------------------------------------------------------------

    async def request(self, subject: str, data: bytes, timeout: float = 5.0) -> bytes:
        """Ask a service (NATS micro). Raises Retry where nobody answers in time."""
        try:
            reply = await self.inbox.ask(subject, data, telemetry.inject(), timeout)
        except (NatsError, OSError) as error:
            raise Retry(f"nobody answers {subject}: {type(error).__name__}", 1.0) from error
        return reply.data

    async def api(self, subject: str, body: object = None) -> Any:
        """A JetStream API call, its subject without `$JS.API.`. Raises ApiError,
        BrokerUnavailable."""
        reply = await self._ask(f"$JS.API.{subject}", b"" if body is None else _json(body))
        answer = msgspec.json.decode(reply.data)
        if error := answer.get("error"):
            raise ApiError(subject, msgspec.convert(error, Refusal))
        return answer

    async def erase(self, stream: str, seq: int) -> None:
        """Delete one message and overwrite its bytes on disk (purging would leave them there).
        Erased before, nothing happens. Raises ApiError where it stands there still."""
        try:
            await self.api(f"STREAM.MSG.DELETE.{stream}", {"seq": seq, "no_erase": False})
        except ApiError:
            if await self.get(stream, seq) is not None:
                raise

    async def purge(self, stream: str, subject_filter: str, upto: int) -> int:
        """Delete the messages of this filter up to a sequence; how many there were. Their bytes
        stay in the store's files until these are written anew (`erase` overwrites at once)."""
        ask = {"filter": subject_filter, "seq": upto + 1}
        return int((await self.api(f"STREAM.PURGE.{stream}", ask))["purged"])

    async def tell(self, subject: str, data: bytes) -> None:
        """Publish without an answer: telemetry only."""
        await self.nc.publish(subject, data)


def _stored(head: Mapping[str, str], data: bytes) -> Stored:
    return Stored(
        subject=head.get("Nats-Subject", ""),
        seq=int(head.get("Nats-Sequence", "0")),
        data=data,
        headers=head,
        ts=head.get("Nats-Time-Stamp", ""),
    )


def _unreachable(url: str, error: Exception) -> str:
    where = url.rpartition("@")[2].removeprefix("nats://")
    if "authorization" in str(error).lower() or "auth" in type(error).__name__.lower():
        return f"the broker at {where} refused the login; check broker.creds_file or broker.url"
    return f"no broker answers at {where}; start it, or correct broker.url"
