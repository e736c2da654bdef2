"""One client: octets in, one request; a response, octets out. HTTP/1.1 and 1.0 by h11.

A connection has one request and is closed behind it, so whatever follows a request is never read
as another. What is not said in time, or too much, ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus

import h11

from postroad.httpmessage import Request, Response

HEAD = 16 << 10  # octets of request line and header, up to a piece more
PIECE = 4 << 10  # octets read at once
BODY = 4 << 10  # octets; the form has 26
LISTEN_SECONDS = 10.0  # for the whole request
ANSWER_SECONDS = 10.0  # for a client to take the response
LINGER_SECONDS = 2.0  # for who still talks when the answer is given: cut off, they lose it
LINGER = 256 << 10  # octets, the same


class Gone(Exception):
    """The client hung up, or said nothing at all."""


class Unheard(Exception):
    """What came is no request that is listened to; `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection:
    """A client's connection. `heard` is whether its request is complete; `fields` are header
    fields that each response has."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fields: Sequence[tuple[str, str]],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._fields = fields
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD)
        self._method = b""
        self._began = False  # anything was said
        self.heard = False

    async def request(self) -> Request:
        """The request. Raises Gone, and Unheard."""
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                return await self._request()
        except TimeoutError:
            if self._began:
                raise Unheard(408) from None
            raise Gone from None
        except h11.RemoteProtocolError as error:
            raise Unheard(error.error_status_hint) from error
        except OSError:
            raise Gone from None

    async def answer(self, response: Response, at: datetime) -> None:
        """Write a response, as far as the client takes it."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            *self._fields,
            ("Date", format_datetime(at, usegmt=True)),
            ("Content-Length", str(len(response.page))),
            *response.headers.items(),
        ]
        head = h11.Response(
            status_code=response.status,
            headers=headers,
            reason=HTTPStatus(response.status).phrase.encode(),
        )
        data = self._http.send(head) or b""
        if self._method != b"HEAD":
            data += self._http.send(h11.Data(data=response.page)) or b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                self._writer.write(data)
                await self._writer.drain()
            if not self.heard:
                await self._linger()

    async def close(self) -> None:
        """Hang up, with what is written taken if that is quick."""
        self._writer.close()
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        """Hang up at once."""
        self._writer.transport.abort()

    async def _request(self) -> Request:
        head = await self._event()
        if not isinstance(head, h11.Request):
            raise Gone
        self._method = head.method
        fields = dict(head.headers)
        if head.http_version not in (b"1.0", b"1.1"):
            raise Unheard(505)
        if b"transfer-encoding" in fields and (
            b"content-length" in fields or head.http_version == b"1.0"
        ):
            raise Unheard(400)  # RFC 9112 section 6.1: somebody in between may read it otherwise
        length = fields.get(b"content-length", b"0")
        if len(length) > 9 or int(length) > BODY:
            raise Unheard(413)
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(
                self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
            )
        body = bytearray()
        while isinstance(part := await self._event(), h11.Data):
            body += part.data
            if len(body) > BODY:
                raise Unheard(413)
        if not isinstance(part, h11.EndOfMessage):
            raise Gone
        self.heard = True
        return Request(
            method=head.method.decode("ascii"),
            target=head.target.decode("ascii"),
            content_type=fields.get(b"content-type", b"").decode("latin-1"),
            body=bytes(body),
        )

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(PIECE)
            self._began = self._began or bool(data)
            self._http.receive_data(data)
        return event

    async def _linger(self) -> None:
        """Read on and forget it, so that a client that still talks gets to the answer."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        left = LINGER
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0 and (data := await self._reader.read(HEAD)):
                left -= len(data)
