"""A provider's URL as a relay: each transaction is one POST of message/rfc822.

The envelope travels beside the mail: X-Envelope-From and X-Envelope-To hold addresses in angle
brackets and UTF-8, recipients with commas between. Idempotency-Key is the same for the same copy
in every try, so that a provider that honours it never sends a copy twice. Redirects are not
followed: a token must not travel to where nobody sent it.

A request whose last octets are written and whose answer never comes is in doubt, and so is one
that a gateway answers for a server behind it (502, 504).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from postroad.mail import wire
from postroad.runtime.config import Relay
from postroad.runtime.crashpoint import crashpoint
from services.sender.answers import MAX_TEXT, Reply
from services.sender.redact import redact
from services.sender.relay import RelayError
from services.sender.replies import classify
from services.sender.transaction import Offers, Result, Transaction, refuse

OFFERS = Offers(eight_bit=True, utf8=True)
LONGEST_PAUSE = 3600.0  # seconds; a provider that asks for more is asked again by then
_SAID = 4096  # octets read of an answer
_IN_DOUBT = (502, 504)
# What an answer means, as the SMTP reply that means it (see replies.toml). Whatever is missing
# here is about the URL or the account, and needs somebody who looks at it.
_MEANS = {
    400: (554, "5.6.0"),
    401: (535, "5.7.8"),
    403: (535, "5.7.8"),
    407: (535, "5.7.8"),
    408: (421, "4.4.2"),
    409: (451, "4.3.0"),
    413: (552, "5.3.4"),
    422: (554, "5.6.0"),
    423: (451, "4.3.0"),
    425: (421, "4.3.2"),
    429: (421, "4.3.2"),
    500: (451, "4.3.0"),
    503: (421, "4.3.2"),
    507: (421, "4.3.1"),
    509: (421, "4.3.2"),
}
_OTHER = (521, "5.3.5")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of patience: for a connection, for the provider to take some more of a body, for
    the answer to the whole."""

    connect: float = 30.0
    block: float = 60.0
    final: float = 120.0


DEFAULT = Timeouts()


async def connect(relay: Relay, timeouts: Timeouts = DEFAULT) -> Poster:
    """A client of the relay's URL; it connects when it posts. Raises SettingsError where the
    token cannot be read, and RelayError where it cannot stand in a header."""
    token = relay.token()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise RelayError(relay, "login", "needs a token of one word: check token_file")
    return Poster(relay, token, timeouts)


async def ask(relay: Relay, timeout: float) -> int:
    """The HTTP status that the URL answers to OPTIONS with our token: nothing is posted.
    `timeout` in seconds. Raises RelayError and SettingsError."""
    poster = await connect(relay)
    try:
        return await poster.ask(timeout)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
        told = "does not answer as an HTTP server does: check url"
        raise RelayError(relay, "unreachable", told, "deferred") from None
    finally:
        await poster.close()


class Poster:
    """One HTTP connection, kept open between posts."""

    def __init__(self, relay: Relay, token: str, timeouts: Timeouts) -> None:
        self.offers = OFFERS
        self.fault = ""
        self.out_of_step = False
        self.pause = 0.0
        self.lingering = None
        self._relay = relay
        self._token = token
        self._authorization = [(b"Authorization", f"Bearer {token}".encode())] if token else []
        self._timeouts = timeouts
        self._sending: asyncio.Task[None] | None = None
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),  # SSL_CERT_FILE counts, as everywhere
            timeout=httpx.Timeout(
                timeouts.connect, read=timeouts.final, write=timeouts.block, pool=None
            ),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=1),
        )

    async def send(self, transactions: Sequence[Transaction]) -> list[Result]:
        """See `kinds.Carrier`. One after the other: what comes behind a fault is untried."""
        results = [Result.of(each) for each in transactions]
        self._sending = asyncio.ensure_future(self._window(transactions, results))
        try:
            await asyncio.wait([self._sending])
        except BaseException:
            self.abandon("interrupted")
            raise
        if not self._sending.cancelled():
            self._sending.result()
        return results

    async def ask(self, timeout: float) -> int:
        """The status of an answer to OPTIONS. Raises httpx's errors and TimeoutError."""
        async with (
            asyncio.timeout(timeout),
            self._client.stream("OPTIONS", self._relay.url, headers=self._authorization) as answer,
        ):
            return answer.status_code

    def waiting(self) -> None:
        """It is not told whom a provider waits for."""

    def abandon(self, fault: str) -> None:
        """End a window under way."""
        self.fault = self.fault or fault
        if self._sending is not None:
            self._sending.cancel()

    async def close(self) -> None:
        """Close the connection."""
        self.abandon("closed")
        await self._client.aclose()

    async def _window(self, transactions: Sequence[Transaction], results: Sequence[Result]) -> None:
        for transaction, result in zip(transactions, results, strict=True):
            wanted = [] if self.fault else refuse(transaction, result, self.offers)
            if wanted:
                await self._post(transaction, result, wanted)

    async def _post(self, transaction: Transaction, result: Result, wanted: Sequence[int]) -> None:
        patience = asyncio.timeout(None)

        async def body() -> AsyncIterator[bytes]:
            blocks = wire.plain(transaction.data)
            last = next(blocks, b"")
            for block in blocks:
                yield last
                last = block
            crashpoint("sender.before_dot")
            result.lost = True  # with these octets the mail is whole, until it is answered
            result.sending(wanted)
            patience.reschedule(asyncio.get_running_loop().time() + self._timeouts.final)
            yield last

        recipients = [transaction.recipients[index] for index in wanted]
        headers = self._headers(transaction, recipients)
        try:
            async with (
                patience,
                self._client.stream(
                    "POST", self._relay.url, content=body(), headers=headers
                ) as answer,
            ):
                crashpoint("sender.after_dot")
                self._judge(answer, await _said(answer), result, wanted)
        except TimeoutError:
            self.fault = f"the provider did not answer within {self._timeouts.final:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            self._broke(error, result, wanted)

    def _headers(
        self, transaction: Transaction, recipients: Sequence[str]
    ) -> list[tuple[bytes, bytes]]:
        names = "".join(transaction.copy_name(recipient) for recipient in recipients)
        size = sum(map(len, wire.plain(transaction.data)))
        headers = [
            (b"Content-Type", b"message/rfc822"),
            (b"Content-Length", b"%d" % size),
            (b"Accept-Encoding", b"identity"),
            (b"X-Envelope-From", f"<{transaction.sender}>".encode()),
            (b"X-Envelope-To", ", ".join(f"<{recipient}>" for recipient in recipients).encode()),
            (b"Idempotency-Key", hashlib.sha256(names.encode()).hexdigest()[:32].encode()),
        ]
        return headers + self._authorization

    def _judge(
        self, answer: httpx.Response, said: str, result: Result, wanted: Sequence[int]
    ) -> None:
        """What an answer means for these recipients, and for the connection."""
        status = answer.status_code
        if self._token:
            said = said.replace(self._token, "(token)")
        text = redact(f"HTTP {status} {answer.reason_phrase}: {said}".rstrip(": "), MAX_TEXT)
        if status in _IN_DOUBT:
            self.fault = text
            return
        result.lost = False
        meant = (250, "") if answer.is_success else _MEANS.get(status, _OTHER)
        result.data = reply = Reply(*meant, text, ".")
        result.settle(wanted, reply)
        if not reply.accepted and classify(reply).scope == "relay":
            self.fault = text
            self.pause = _seconds(answer.headers.get("Retry-After", ""))

    def _broke(self, error: Exception, result: Result, wanted: Sequence[int]) -> None:
        """The connection did not come about, or broke."""
        cause = _cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".")
            self.fault = f"has a certificate that cannot be trusted: {why}"
            result.settle(wanted, Reply(*_OTHER, self.fault, "."))  # somebody must act
        elif isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            self.fault = f"cannot be reached{_why(cause)}: check url"
        elif isinstance(error, httpx.TimeoutException):
            self.fault = "the provider stopped to answer, or to take the mail"
        else:
            self.fault = "the connection broke"


def _cause(error: BaseException) -> OSError | None:
    """The system's or TLS's own error behind an error, where there is one."""
    seen: BaseException | None = error
    found = None
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            found = seen
        seen = seen.__cause__ or seen.__context__
    return found


def _why(cause: OSError | None) -> str:
    """What the system says; its own text would name address and port."""
    if cause is None or cause.errno is None:
        return ""
    return f" ({os.strerror(cause.errno) if cause.errno > 0 else cause.strerror})"


async def _said(answer: httpx.Response) -> str:
    """The beginning of the answer's body; the status stands, whatever becomes of the rest."""
    said = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(5.0):
            async for piece in answer.aiter_raw():
                said += piece
                if len(said) >= _SAID:
                    break
    return said[:_SAID].decode("utf-8", "replace")


def _seconds(retry_after: str) -> float:
    """RFC 9110 section 10.2.3: seconds, or a date; 0 for neither."""
    if retry_after.isascii() and retry_after.isdecimal():
        return min(float(retry_after[:9]), LONGEST_PAUSE)
    try:
        left = parsedate_to_datetime(retry_after) - datetime.now(UTC)
    except (TypeError, ValueError):
        return 0.0
    return min(max(left.total_seconds(), 0.0), LONGEST_PAUSE)
