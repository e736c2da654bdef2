"""What THREADS holds: which posts of a list have a Message-ID, and which conversation it is of."""

from __future__ import annotations

import msgspec


class Posted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A post: the id of its mail, and the digest by which a second copy of it is told."""

    mail: str
    text: str


class Named(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A Message-ID that a list has met. `posts` have it, the first is what others mean by it; none
    while only answers have named it. `thread` is the id of the first post of its conversation,
    `answers` are the first posts that answered it before it came."""

    thread: str
    posts: tuple[Posted, ...] = ()
    answers: tuple[str, ...] = ()
