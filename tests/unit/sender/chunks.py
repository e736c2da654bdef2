"""A chunk as the sender is given it, for tests that send nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.mail import RawRef
from schemas.road import ChunkQueued, Copy


def chunk(size: int, **fields: Any) -> ChunkQueued:
    """The fourth chunk of a post, of `size` people; `fields` are other values for its fields."""
    usual = ChunkQueued(
        mail_id="m",
        list="team",
        chunk="3",
        first=100,
        people=tuple(f"p{n}" for n in range(size)),
        addresses=tuple(f"p{n}@example.org" for n in range(size)),
        copy=Copy(
            raw=RawRef(mail_id="m", chunks=1, size=1, sha256="", head=0),
            list="team",
            list_address="team@example.org",
            bounces=("team-bounces+", "@example.org"),
            post=1,
        ),
    )
    return msgspec.structs.replace(usual, **fields)
