"""Requests to membership about the addresses of people. Never stored, as those of
schemas.commands."""

from __future__ import annotations

from schemas.commands import Change


class MoveMember(Change, kw_only=True):
    """Endpoint `member_move`: whoever is reached at the address `old` is reached at `new` instead,
    on every list. Not `confirmed`, `new` is asked by mail first, and `old` is told."""

    old: str
    new: str
    how: str = "command line"
    confirmed: bool = True
