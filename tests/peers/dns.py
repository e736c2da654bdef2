"""A name server on loopback, UDP and TCP, whose zone is a dict; it runs in the test's event loop.

    async with Dns.start({"example.org MX": ["10 mail.example.org."]}) as dns:
        monkeypatch.setenv("POSTROAD_RESOLVER", dns.address)
        dns.records["example.org TXT"] = ['"v=spf1 -all"']
        dns.broken.add("example.net")

Keys are "NAME TYPE", values records as a zone file has them. A name that has no record at all, and
none below it, is answered by NXDOMAIN, one without this type by an empty answer, an alias (CNAME)
with what it stands for. Names in `broken` are answered by SERVFAIL; names in `silent` not at all,
and with "." in it, none is.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

LARGEST = 1232  # octets of an answer by UDP; what is larger has to come by TCP


class Dns:
    """A running server; `asked` lists the questions, "NAME TYPE"."""

    def __init__(self, records: Mapping[str, Sequence[str]]) -> None:
        self.records = {key: list(values) for key, values in records.items()}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.port = 0

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @classmethod
    @asynccontextmanager
    async def start(cls, records: Mapping[str, Sequence[str]]) -> AsyncIterator[Dns]:
        """Answer until the context ends."""
        server = cls(records)
        async with await asyncio.start_server(server.converse, "127.0.0.1", 0) as listening:
            server.port = listening.sockets[0].getsockname()[1]
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(server), local_addr=("127.0.0.1", server.port)
            )
            try:
                yield server
            finally:
                transport.close()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question by TCP."""
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        answer = self.answer(await reader.readexactly(size))
        if answer is not None:
            wire = answer.to_wire()
            writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
            writer.close()

    def answer(self, question: bytes) -> dns.message.Message | None:
        """What to say, or None for nothing."""
        query = dns.message.from_wire(question)
        asked = query.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(f"{name} {kind}")
        if self.silent & {name, "."}:
            return None
        response = dns.message.make_response(query)
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif alias := self.records.get(f"{name} CNAME"):
            response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "CNAME", *alias))
            there = self.records.get(f"{alias[0].rstrip('.')} {kind}", [])
            response.answer.append(dns.rrset.from_text(alias[0], 60, "IN", kind, *there))
        elif values := self.records.get(f"{name} {kind}"):
            response.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *values))
        elif not any(f".{key}".split()[0].endswith(f".{name}") for key in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Dns) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's own

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data)
        if answer is None:
            return
        wire = answer.to_wire()
        if len(wire) > LARGEST:
            answer.flags |= dns.flags.TC
            answer.answer.clear()
            wire = answer.to_wire()
        self._transport.sendto(wire, addr)
