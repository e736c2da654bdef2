"""What SEEN holds of posts, so that an author who repeats is noticed."""

from __future__ import annotations

import msgspec


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One post of an author to a list. `at` is when it arrived (seconds since 1970), `post` the
    digest that tells second copies. The others are digests too, shortened, since only equality
    is asked of them; empty where the mail has no such thing."""

    at: int
    post: str
    body: str = ""
    subject: str = ""  # less what replies and lists put before it
    message: str = ""  # the Message-ID
    answers: str = ""  # the Message-ID it answers
