"""The answer to `schemas.commands.EraseMember`; never stored."""

from __future__ import annotations

import msgspec


class Erased(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What was erased, or would be. `known`: it was somebody's address; `addresses` are theirs, and
    the one that was given; `moved` is where whoever gave that one up is reached now, `asked`
    are addresses that they only asked for. `lists` are left, `named` those whose settings or texts
    name an address, or did. `chunks` are queues of copies to several people. What is `kept` has not
    reached its age; all of it has at the time `until` (RFC 3339). `rewriting`: the roster's file
    is still being written anew."""

    known: bool = False
    addresses: tuple[str, ...] = ()
    moved: str = ""
    asked: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    questions: int = 0
    letters: int = 0
    chunks: int = 0
    dead: int = 0
    kept: int = 0
    until: str = ""
    rewriting: bool = False
    after: int = 0
