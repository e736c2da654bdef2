"""Requests to membership about the addresses of people. Never stored, as those of
schemas.commands."""

from __future__ import annotations

from typing import Literal

from schemas.commands import Change

AddressVerb = Literal["move", "add", "prefer", "drop"]


class ChangeAddress(Change, kw_only=True):
    """Endpoint `member_address`: whoever has the address `own` has `address` in its place (`move`)
    or besides (`add`), is reached there (`prefer`), or has it no more (`drop`), on every list. An
    address that is not theirs yet is asked by mail first unless it is `confirmed`, and `own` is
    told."""

    verb: AddressVerb
    own: str
    address: str
    how: str = "command line"
    confirmed: bool = True
