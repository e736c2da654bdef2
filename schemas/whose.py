"""Requests to membership about who is who. Never stored, as those of schemas.commands."""

from __future__ import annotations

from schemas.commands import Command


class WhoseAddress(Command, kw_only=True):
    """Endpoint `whose`: whom an address belongs to, or did; answers no `whose` where nobody of it
    was ever known."""

    address: str


class WhereReached(Command, kw_only=True):
    """Endpoint `reached`: the addresses where copies to these people go, of at most 5,000; who was
    erased has none."""

    people: tuple[str, ...]
