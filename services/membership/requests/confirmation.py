"""Confirmations: a token that only the mailbox written to can have read. Pure.

The token is 128 bits of MAC over what asked and what is asked, so that a mail handled twice
sends the same one. It is stored under its own MAC: who reads the streams learns no token. The
aggregate of `pending.confirmation.<key>`; its one message holds the question, and once it is
over who ended it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from schemas.envelope import Event
from schemas.pending import (
    Action,
    ConfirmationAsked,
    ConfirmationUsed,
    ConfirmationWithdrawn,
    VerdictAsked,
)

TOKEN_CHARS = 26  # 128 bits in base32
LIFE = timedelta(days=3)  # Mailman's pending_request_life

Trouble = Literal["token_unknown", "token_expired", "token_used", "token_withdrawn"]
REASONS: Mapping[Trouble, str] = {
    "token_unknown": "the token is unknown",
    "token_expired": "the token is expired",
    "token_used": "the token is used",
    "token_withdrawn": "the question was withdrawn",
}


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A question, and the mail id that answered it, or because of which it was withdrawn; or the
    one for a `verdict` on held mail, which ends elsewhere."""

    asked: ConfirmationAsked | None = None
    verdict: VerdictAsked | None = None
    used_by: str = ""
    withdrawn_by: str = ""


class NotConfirmedError(Exception):
    """The token does nothing. `why` names the letter's text, `reason` is for the record."""

    def __init__(self, why: Trouble) -> None:
        super().__init__(why)
        self.why: Trouble = why
        self.reason = REASONS[why]


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
            case VerdictAsked():
                state = State(verdict=event)
            case ConfirmationUsed():
                state = msgspec.structs.replace(state, used_by=event.by)
            case ConfirmationWithdrawn():
                state = msgspec.structs.replace(state, withdrawn_by=event.by)
            case _:
                pass
    return state


def waits(state: State, list_: str, now: datetime) -> bool:
    """Whether a question of this list can still be answered."""
    try:
        _waiting(state, list_, now)
    except NotConfirmedError:
        return False
    return True


def decide_use(state: State, *, list_: str, by: str, now: datetime) -> Sequence[Event]:
    """Use it up, in a mail `by` to the list `list_` (empty where the address named none).

    Nothing where this very mail has used it before. Raises NotConfirmedError.
    """
    if state.used_by == by:
        return ()
    return (_waiting(state, list_, now), ConfirmationUsed(by=by))


def decide_decline(state: State, *, list_: str, by: str, now: datetime) -> Sequence[Event]:
    """End it by the answer no, as `decide_use` does by yes."""
    if state.withdrawn_by == by:
        return ()
    return (_waiting(state, list_, now), ConfirmationWithdrawn(by=by))


def decide_withdraw(state: State, *, by: str) -> Sequence[Event]:
    """End it because of another question, whatever became of it; also before it is asked."""
    if state.used_by or state.withdrawn_by:
        return ()
    asked = (state.asked,) if state.asked else ()
    return (*asked, ConfirmationWithdrawn(by=by))


def _waiting(state: State, list_: str, now: datetime) -> ConfirmationAsked:
    asked = state.asked
    if asked is None or (list_ and asked.list != list_):
        raise NotConfirmedError("token_unknown")
    if state.used_by:
        raise NotConfirmedError("token_used")
    if state.withdrawn_by:
        raise NotConfirmedError("token_withdrawn")
    if now >= asked.expires:
        raise NotConfirmedError("token_expired")
    return asked
