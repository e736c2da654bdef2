"""A name, a port, a certificate: what every mail server has, whatever it speaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from postroad.cli.doctor.judge.peer import Handshake

NAME_SECONDS = 4.0
CONNECT_SECONDS = 4.0
ADDRESSES = 3  # that are tried, one after the other
TLS_SECONDS = 5.0
EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

Kind = Literal["imap", "pop3", "smtp", "lmtp", "http"]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _SaidNoError(Exception):
    """The server does not offer STARTTLS."""


async def addresses(host: str) -> tuple[list[str], str]:
    """The addresses of a host as every program here finds them, or why there are none."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[tuple[list[str], str]] = loop.create_future()

    def settle(answer: tuple[list[str], str]) -> None:
        if not found.done():
            found.set_result(answer)

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer = list(dict.fromkeys(str(row[4][0]) for row in rows)), ""
        except OSError as error:
            answer = [], (error.strerror or str(error)).lower()
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(settle, answer)

    # not the loop's own threads: it would wait for a dead resolver before it ends
    threading.Thread(target=ask, daemon=True).start()
    try:
        async with asyncio.timeout(NAME_SECONDS):
            return await found
    except TimeoutError:
        return [], "the resolver does not answer"


async def connect(hosts: Sequence[str], port: int) -> Streams | str:
    """A connection to the first address that takes one, or why none does."""
    why = "has no address"
    tried = hosts[:ADDRESSES]
    for host in tried:
        try:
            async with asyncio.timeout(CONNECT_SECONDS / len(tried)):
                return await asyncio.open_connection(host, port)
        except TimeoutError:
            why = "does not answer"
        except ConnectionRefusedError:
            why = "nothing listens there"
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else "cannot be reached"
    return why


async def handshake(
    hosts: Sequence[str], port: int, name: str, kind: Kind, *, starttls: bool
) -> Handshake:
    """TLS to the server, which must be called `name`."""

    async def shaken(context: ssl.SSLContext) -> Handshake:
        return await _handshake(hosts, port, name, kind, context, starttls=starttls)

    strict, any_name = ssl.create_default_context(), ssl.create_default_context()
    any_name.check_hostname = False
    seen = await shaken(strict)
    if seen.fault == "name":
        other = await shaken(any_name)
        return Handshake(fault="name", names=other.names, expires=other.expires)
    if seen.fault == "untrusted":
        # OpenSSL names one fault; once this very certificate is trusted it names the next
        anyhow = ssl.create_default_context()
        anyhow.check_hostname, anyhow.verify_mode = False, ssl.CERT_NONE
        shown = await shaken(anyhow)
        if shown.certificate:
            any_name.load_verify_locations(cadata=shown.certificate)
            any_name.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            other = await shaken(any_name)
            return replace(seen, expired=other.fault == "expired")
    return seen


async def _handshake(
    hosts: Sequence[str],
    port: int,
    name: str,
    kind: Kind,
    context: ssl.SSLContext,
    *,
    starttls: bool,
) -> Handshake:
    streams = await connect(hosts, port)
    if isinstance(streams, str):
        return Handshake(fault="silent", why=streams)
    reader, writer = streams
    try:
        async with asyncio.timeout(TLS_SECONDS):
            if starttls:
                await _ask_for_tls(reader, writer, kind)
            await writer.start_tls(context, server_hostname=name)
        return _certificate(writer.get_extra_info("ssl_object"))
    except _SaidNoError:
        return Handshake(fault="no starttls")
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        if error.verify_code == EXPIRED:
            return Handshake(fault="expired", why=why)
        return Handshake(fault="name" if error.verify_code in OTHER_NAME else "untrusted", why=why)
    except TimeoutError:
        return Handshake(fault="silent")
    except ssl.SSLError as error:
        return Handshake(fault="no tls", why=(error.reason or "no TLS").lower().replace("_", " "))
    except (OSError, EOFError, ValueError):
        return Handshake(fault="no tls", why="it hangs up")
    finally:
        writer.transport.abort()


def _certificate(tls: ssl.SSLObject) -> Handshake:
    certificate: dict[str, Any] = dict(tls.getpeercert() or {})
    ends = certificate.get("notAfter")
    return Handshake(
        version=tls.version() or "TLS",
        expires=datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if ends else None,
        names=tuple(name for _, name in certificate.get("subjectAltName", ())),
        certificate=tls.getpeercert(binary_form=True) or b"",
    )


async def _ask_for_tls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Kind
) -> None:
    """STARTTLS up to where TLS begins (RFC 9051 section 6.2.1, RFC 3207)."""
    if kind == "imap":
        await reader.readline()
        writer.write(b"1 STARTTLS\r\n")
        while not (line := await reader.readline()).startswith(b"1 "):
            if not line:
                raise EOFError
        if not line.upper().startswith(b"1 OK"):
            raise _SaidNoError
        return
    if kind == "pop3":  # RFC 2595 section 4
        await reader.readline()
        writer.write(b"STLS\r\n")
        if not (await reader.readline()).upper().startswith(b"+OK"):
            raise _SaidNoError
        return
    await _reply(reader)
    for command, wanted in (
        (b"LHLO doctor.invalid\r\n" if kind == "lmtp" else b"EHLO doctor.invalid\r\n", b"2"),
        (b"STARTTLS\r\n", b"2"),
    ):
        writer.write(command)
        if not (await _reply(reader)).startswith(wanted):
            raise _SaidNoError


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """The last line of an SMTP reply."""
    while (line := await reader.readline())[3:4] == b"-":
        pass
    if not line:
        raise EOFError
    return line
