"""One question over HTTP that ends in time, whatever the other side does. Blocks.

httpx counts the time of each step anew: a server that sends a header line every second, a
handshake octet by octet, or a name server that is silent, holds it for as long as it likes. So
the question is asked in a thread of its own, which is left behind when time is up, its connection
cut. The thread is a daemon: a process that ends does not wait for it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Answer:
    """What a server said; `retry_after` is the text of that field, or ""."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str


class TooLarge(Exception):
    """The body has more octets than anybody wants."""


def exchange(
    url: str, body: str, headers: Mapping[str, str], *, seconds: float, largest: int
) -> Answer:
    """POST `body`. Raises TimeoutError once `seconds` have passed, TooLarge for a body of more than
    `largest` octets, httpx.HTTPError, httpx.InvalidURL and OSError."""
    answered: Future[Answer] = Future()
    line = _Line()

    def ask() -> None:
        try:
            answered.set_result(_ask(url, body, headers, line, seconds, largest))
        except BaseException as error:  # noqa: BLE001  for whoever waits
            answered.set_exception(error)

    threading.Thread(target=ask, name="oauth-exchange", daemon=True).start()
    try:
        return answered.result(seconds)
    finally:
        line.cut()


def _ask(
    url: str, body: str, headers: Mapping[str, str], line: _Line, seconds: float, largest: int
) -> Answer:
    data = bytearray()
    with (
        httpx.Client(timeout=seconds) as client,
        client.stream(
            "POST", url, content=body, headers=headers, extensions={"trace": line.trace}
        ) as response,
    ):
        for piece in response.iter_bytes():
            data += piece
            if len(data) > largest:
                raise TooLarge
    after = response.headers.get("Retry-After") or ""
    return Answer(response.status_code, bytes(data), after)


class _Line:
    """The connection of one question, to be cut by another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hears from httpx what it does: keeps hold of the connection, from before TLS."""
        if not event.endswith("connect_tcp.complete"):
            return
        with self._lock:
            if self._over:
                raise TimeoutError
            self._socket = info["return_value"].get_extra_info("socket").dup()

    def cut(self) -> None:
        """End the connection; whoever reads from it wakes up."""
        with self._lock:
            self._over = True
            if self._socket is not None:
                with contextlib.suppress(OSError), self._socket:
                    self._socket.shutdown(socket.SHUT_RDWR)
