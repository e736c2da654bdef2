"""Messages of some subscriptions, straight from the socket: 1 to 2 us of CPU each instead of 11.

nats-py matches each message against regular expressions, reads its headers, makes an object of it,
puts that into a queue and wakes a task. Whoever reads a stream of millions taps the wire: each
message of a tapped subscription is given to a plain function. All else goes on to nats-py's parser,
in order, frame by frame as the server sent it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

# subject, reply, headers as sent (empty where there are none), payload
Tap = Callable[[bytes, bytes, bytes, bytes], None]
# what was received, and where in it a message of the subscription begins: takes that and those that
# lie directly behind it, and says where the first lies that it leaves to the tap; raises nothing
Run = Callable[[bytes, int], int]

log = structlog.get_logger()
_END = b"\r\n"


class Wire(Parser):
    """The parser of one connection. Raises ProtocolError for what is no frame."""

    def __init__(self, nc: Client) -> None:
        self.taps: dict[bytes, Tap] = {}
        self.runs: dict[bytes, Run] = {}
        super().__init__(nc)

    def reset(self) -> None:
        """Forget what was begun: a new connection begins."""
        super().reset()
        self._rest = bytearray()  # of a frame whose end has not arrived
        self._needed = 0  # octets that it has, where that is known

    async def parse(self, data: bytes = b"") -> None:  # noqa: C901, PLR0912  calls cost a third
        """Take in what was received."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return
            data = bytes(rest)
            rest.clear()
        self._needed = 0
        at = passed = 0  # where the frame begins; up to where all is dealt with
        while (line := data.find(_END, at)) >= 0:
            words = data[at:line].split(b" ")
            end = body = line + 2
            kind = words[0]
            if kind == b"MSG" or kind == b"HMSG":  # noqa: PLR1714  a third of the time
                end += _number(words[-1]) + 2
                if end > len(data):
                    self._needed = end - at
                    break
                tap = self.taps.get(words[2])
                if tap is not None:
                    if passed < at:
                        await super().parse(data[passed:at])
                        if self._rest is not rest:
                            return  # that ended the connection
                    passed = at
                    run = self.runs.get(words[2])
                    if run is not None and (after := run(data, at)) > at:
                        passed = at = after
                        continue
                    headed = kind == b"HMSG"
                    if headed:
                        body += _number(words[-2])
                    reply = words[3] if len(words) == 5 + headed else b""
                    try:
                        tap(words[1], reply, data[line + 2 : body], data[body : end - 2])
                    except Exception as bug:  # noqa: BLE001  the connection is others' as well
                        _tell(bug)
                    passed = end
            at = end
        if passed < at:
            await super().parse(data[passed:at])
        if self._rest is rest:
            rest += data[at:]


def _tell(bug: Exception) -> None:
    where = traceback.extract_tb(bug.__traceback__)[-1]
    log.error("broker.bug", error=type(bug).__name__, at=f"{where.name}:{where.lineno}")


def install(nc: Client) -> None:
    """Have a connection read by a Wire; before it connects."""
    nc._ps = Wire(nc)  # noqa: SLF001  nats-py has no other way in


def sid(subscription: Subscription) -> bytes:
    """What the server calls a subscription."""
    return str(subscription._id).encode()  # noqa: SLF001


def tap(
    nc: Client, subscription: Subscription, take: Tap, run: Run | None = None
) -> Callable[[], object]:
    """Have `take` get the messages of a subscription, and `run` those of them that come many at
    once; what to call to end that."""
    wire, own = nc._ps, sid(subscription)  # noqa: SLF001
    assert isinstance(wire, Wire)
    wire.taps[own] = take
    if run is not None:
        wire.runs[own] = run

    def untap() -> None:
        wire.taps.pop(own, None)
        wire.runs.pop(own, None)

    return untap


async def nothing(_: Msg) -> None:
    """What a tapped subscription is given to nats-py with."""


def fields(head: bytes) -> dict[str, str]:
    """Headers by name; `Status` where the server says one: 3 us, nats-py's reader takes 50."""
    if not head:
        return {}
    first, *lines = head.decode(errors="replace").split("\r\n")
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value.strip()
    if status := first[9:12]:
        found["Status"] = status
    return found


def _number(word: bytes) -> int:
    try:
        return int(word)
    except ValueError:
        raise ProtocolError(f"no size: {word!r}") from None
