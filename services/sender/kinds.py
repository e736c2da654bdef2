"""The kinds of relay: whatever copies can be given to, window by window.

SMTP and LMTP are spoken by `smtp`, mail is posted to a URL by `httprelay` and stored in a Maildir
or mbox by `filerelay`. Whoever sends knows a `Carrier` and nothing of its kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from postroad.runtime.config import Relay
from postroad.runtime.oauth import Tokens
from services.sender import filerelay, smtp
from services.sender.transaction import Offers, Result, Transaction

__all__ = ["Carrier", "connect"]


class Carrier(Protocol):
    """A connection to a relay, ready to send."""

    @property
    def offers(self) -> Offers:
        """What it takes."""

    @property
    def fault(self) -> str:
        """Why it can send nothing more, "" while it can. Holds no address and no secret."""

    @property
    def out_of_step(self) -> bool:
        """Whether the server's answers stopped making sense: do not pipeline to it again."""

    @property
    def pause(self) -> float:
        """How many seconds the relay asked us to stay away; 0 where it did not."""

    async def send(self, transactions: Sequence[Transaction]) -> list[Result]:
        """Send a window and wait for its end: one result for each transaction, in order.

        Raises nothing for what server, network and disk do: see `Result`, and `fault`.
        """

    def waiting(self) -> tuple[int, int, float] | None:
        """What keeps a window under way, where that is known: see `smtp.Connection`."""

    def abandon(self, fault: str) -> None:
        """End a window under way where it stands, at once."""

    @property
    def lingering(self) -> asyncio.Future[None] | None:
        """Done when a message that was abandoned behind its dot has its answer, or gets none."""

    async def close(self) -> None:
        """Take leave, at any moment."""


async def connect(
    relay: Relay, *, pipelining: bool = True, tokens: Tokens | None = None
) -> Carrier:
    """A connection to the relay, ready to send. Raises RelayError and SettingsError; see
    `smtp.connect` for the arguments."""
    if relay.kind == "http":
        from services.sender import httprelay  # noqa: PLC0415  httpx: only who posts pays for it

        return await httprelay.connect(relay)
    if relay.kind == "file":
        return await filerelay.connect(relay)
    return await smtp.connect(relay, pipelining=pipelining, tokens=tokens)
