"""Asking other clocks: a time server (NTP), the web server before [web].

The time servers are those of the environment (POSTROAD_NTP: HOST or HOST:PORT, several with
commas; empty for none), else of pool.ntp.org. One question each, which names nobody.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from postroad.cli.doctor.judge.clock import Reading
from postroad.cli.doctor.probe import network
from postroad.runtime.config import Config

NTP = "pool.ntp.org"
SECONDS = 2.0  # for one answer
ERA = 2_208_988_800  # seconds from 1900, where NTP begins (RFC 5905), to 1970
CLIENT = b"\x23" + bytes(47)  # version 4, mode 3: all else may be 0 (RFC 4330 section 5)
SERVER = 4
UNKEPT = 5  # TIME_ERROR of adjtimex(2): no service keeps the clock


async def readings(config: Config) -> list[Reading]:
    """What the clocks say that answer, all asked at once."""
    servers = os.environ.get("POSTROAD_NTP", NTP).split(",")
    asked = [_ntp(*_place(server.strip())) for server in servers if server.strip()]
    if config.web is not None:
        asked.append(_date(f"{config.site.base_url}/u/doctor"))
    return [found for found in await asyncio.gather(*asked) if found is not None]


def kept() -> bool | None:
    """Whether the kernel says that a service keeps the clock; None where it says nothing."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # asks, sets nothing
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != UNKEPT


def _place(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else (server, 123)


async def _ntp(host: str, port: int) -> Reading | None:
    hosts, _ = await network.addresses(host)
    if not hosts:
        return None
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[bytes, float]] = loop.create_future()
    transport = None
    try:
        async with asyncio.timeout(SECONDS):
            transport, _protocol = await loop.create_datagram_endpoint(
                lambda: _Answer(answer), remote_addr=(hosts[0], port)
            )
            sent = time.time()
            transport.sendto(CLIENT)
            data, received = await answer
    except (TimeoutError, OSError):
        return None
    finally:
        if transport is not None:
            transport.close()
    if len(data) < len(CLIENT) or data[0] & 7 != SERVER or not 0 < data[1] < 16:
        return None  # no answer of a server that knows the time
    there = [
        seconds - ERA + part / 2**32 for seconds, part in struct.iter_unpack("!II", data[32:48])
    ]
    ahead = ((sent - there[0]) + (received - there[1])) / 2
    return Reading(host, ahead, (received - sent) / 2)


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answer: asyncio.Future[tuple[bytes, float]]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self._answer.done():
            self._answer.set_result((data, time.time()))

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def _date(url: str) -> Reading | None:
    """The Date of a web server, to a second."""
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            sent = time.time()
            answer = await client.head(url)
            now = time.time()
        there = parsedate_to_datetime(answer.headers["Date"]).timestamp() + 0.5
    except (httpx.HTTPError, KeyError, ValueError):
        return None
    return Reading(urlsplit(url).hostname or url, (sent + now) / 2 - there, 0.5 + (now - sent) / 2)
