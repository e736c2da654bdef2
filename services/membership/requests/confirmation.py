"""Confirmations: a token that only the mailbox written to can have read. Pure.

The token is 128 bits of MAC over what asked and what is asked, so that a mail handled twice
sends the same one. It is stored under its own MAC: who reads the streams learns no token. The
aggregate of `pending.confirmation.<key>`; its one message holds the question, and once it is
answered who did.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.envelope import Event
from schemas.pending import Action, ConfirmationAsked, ConfirmationUsed

TOKEN_CHARS = 26  # 128 bits in base32
LIFE = timedelta(days=3)  # Mailman's pending_request_life

Trouble = Literal["token_unknown", "token_expired", "token_used"]


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A question, and the mail id that answered it."""

    asked: ConfirmationAsked | None = None
    used_by: str = ""


class NotConfirmedError(Exception):
    """The token does nothing. Holds why."""

    def __init__(self, why: Trouble) -> None:
        super().__init__(why)
        self.why: Trouble = why


def token_of(key: bytes, cause: str, list_: str, action: Action, address: str) -> str:
    """The token for this question; `address` in normal form, `key` the site key."""
    bound = f"postroad confirmation\0{cause}\0{list_}\0{action}\0{address}".encode()
    mac = hashlib.blake2b(bound, digest_size=16, key=key).digest()
    return base64.b32encode(mac).decode("ascii").lower()[:TOKEN_CHARS]


def key_of(key: bytes, token: str) -> str:
    """What a token is stored under: 64 hex digits that do not tell it."""
    return hmac.digest(key, b"postroad confirmation key\0" + token.encode(), "sha256").hex()


def fold(events: Iterable[Event]) -> State:
    """What the one message of a confirmation says."""
    state = State()
    for event in events:
        match event:
            case ConfirmationAsked():
                state = State(asked=event)
            case ConfirmationUsed():
                state = msgspec.structs.replace(state, used_by=event.by)
            case _:
                pass
    return state


def decide_use(state: State, *, list_: str, by: str, now: datetime) -> Sequence[Event]:
    """Use it up, in a mail `by` to the list `list_` (empty where the address named none).

    Nothing where this very mail has used it before. Raises NotConfirmedError.
    """
    asked = state.asked
    if asked is None or (list_ and asked.list != list_):
        raise NotConfirmedError("token_unknown")
    if state.used_by == by:
        return ()
    if state.used_by:
        raise NotConfirmedError("token_used")
    if now >= asked.expires:
        raise NotConfirmedError("token_expired")
    return (asked, ConfirmationUsed(by=by))
