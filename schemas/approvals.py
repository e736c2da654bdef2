"""Requests that wait for owners, as membership answers them (`schemas.commands.Answer`). Never
stored."""

from __future__ import annotations

from typing import Literal

from schemas.mail import Data

RequestWord = Literal["accept", "reject", "discard"]


class RequestRow(Data, kw_only=True):
    """Somebody who waits to join or leave a list. Times are RFC 3339; `verdict` is empty while they
    wait."""

    id: str
    list: str  # address
    action: str
    address: str
    display_name: str = ""
    since: str
    expires: str
    verdict: str = ""
