"""Clients of the web service that mean no good, or know no better."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from postroad.cli.doctor.probe.web import look
from postroad.runtime import httpconnection, httplistener
from postroad.runtime.broker import Broker
from tests.broker.leavepages import ONE_CLICK, Pages, pages, web_settings
from tests.e2e.system import until

HOST = b"Host: lists.example.org\r\n"
LINK = b"/u/team-" + b"a" * 32
FORM = b"List-Unsubscribe=One-Click"
SAFE = {
    "content-type": "text/html; charset=utf-8",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "cache-control": "no-store",
    "connection": "close",
}
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ODD = {
    b"\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": 400,  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
    b"GET / HTTP/1.1\r\n\r\n": 400,  # no Host
    b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n": 400,
    b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n": 400,
    b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: ../../<script>\r\nX-Forwarded-Host: evil\r\n\r\n": 404,
    b"GET " + b"/" * 30_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n": 431,
    b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 50_000 + b"\r\n": 431,
    b"BREW " + LINK + b" HTTP/1.1\r\n" + HOST + b"\r\n": 405,
    b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n": 404,
    b"GET /u/../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n": 404,
    b"GET /u/%2e%2e%2fetc%2fpasswd HTTP/1.0\r\n\r\n": 404,
    # what hides another request behind the first, as somebody in between may see it
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n": 400,
    b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd": 400,
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +4\r\n\r\nabcd": 400,
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\nabcd": 501,
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\nzz\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n2000\r\n" + b"a" * 8_192 + b"\r\n": 413,
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999\r\n\r\n": 413,
    b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 900000\r\n\r\n" + b"a" * 900_000: 413,
}


def status(answer: bytes) -> int:
    """Of an answer that is whole, alone, and safe to show."""
    head, _, page = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert SAFE.items() <= headers.items()
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert int(headers["content-length"]) == len(page)
    assert answer.count(b"HTTP/1.1 ") == 1
    return int(first.split()[1])


async def test_whatever_is_said_gets_one_safe_answer(broker: Broker, tmp_path: Path) -> None:
    """What is no request, too large, ambiguous or for nothing of ours is refused in one answer, and
    the connection ends; nothing behind it is read, and nothing is asked of membership."""
    async with pages(broker, web_settings(tmp_path)) as shown:
        answers = await asyncio.gather(*(shown.raw(data) for data in ODD))
        assert [status(answer) for answer in answers] == [*ODD.values()]
        two = b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET " + LINK + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        assert status(await shown.raw(two)) == 404
        waits = (
            b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 26\r\n\r\n"
        )
        asked, _, answer = (await shown.raw(waits + FORM)).partition(b"\r\n\r\n")
        assert asked.startswith(b"HTTP/1.1 100")
        assert status(answer) == 404
        half = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 26\r\n\r\nList"
        assert status(await shown.raw(half, end=True)) == 400
        assert await shown.raw(b"", end=True) == b""
        assert (await look(f"http://127.0.0.1:{shown.port}")).ours  # to the doctor, too
        assert shown.context.telemetry._finished == []  # a span is a question


@contextlib.asynccontextmanager
async def _crowd(shown: Pages, count: int, says: bytes):
    """So many connections that say this and nothing more."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", shown.port)
            stack.callback(writer.close)
            writer.write(says)
        yield


async def test_slow_clients_hold_up_nobody(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every connection taken by clients that dawdle, the next who asks is served all the same;
    who dawdles is told so in the end, and who says nothing is hung up on."""
    monkeypatch.setattr(httplistener, "MOST", 20)
    monkeypatch.setattr(httplistener, "AWHILE", 0.0)
    monkeypatch.setattr(httpconnection, "LISTEN_SECONDS", 0.3)
    async with pages(broker, web_settings(tmp_path)) as shown:
        async with _crowd(shown, 40, b"GET / HTTP/1.1\r\nX: "):
            assert (await shown.client.get("/")).status_code == 404
        slow, silent = await asyncio.gather(shown.raw(b"POST / HTTP/1.1\r\n"), shown.raw(b""))
        assert status(slow) == 408
        assert silent == b""


async def test_a_port_that_is_taken(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status says so until it is free; then links work without a restart."""
    monkeypatch.setattr(httplistener, "TRY_SECONDS", 0.05)
    config = web_settings(tmp_path)
    assert config.web is not None
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", config.web.port))
        other.listen()
        async with pages(broker, config) as shown:
            (fact,) = shown.context.health.answer().facts
            assert not fact.ok
            assert "choose another port in [web]" in fact.detail
            other.close()

            async def listens() -> bool:
                return shown.context.health.answer().facts[0].ok

            await until(listens, "the port is had")
            assert (await shown.client.post("/", data=ONE_CLICK)).status_code == 404
