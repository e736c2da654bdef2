"""Whether a post carries the moderator's password of its list.

A try takes 0.1 s of a core, so it is made in a thread, one at a time; a password that was right is
known again at once. After ten wrong ones within a minute at one list no others are tried there,
but for one that is known: guessing is slow, and cannot keep moderators out who have posted before.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import defaultdict, deque
from time import monotonic

from postroad.mail import approval
from projections.lists import List
from services.router.context import Approval

WRONG = 10  # at a list, within SECONDS
SECONDS = 60.0
_KNOWN = 1_000  # passwords that were right


class Passwords:
    """Compares passwords with what lists keep of theirs."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._right: dict[bytes, None] = {}
        self._wrong: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WRONG))
        self._one = asyncio.Lock()

    async def judge(self, known: List, password: str) -> Approval:
        """What to think of this password at this list."""
        kept = known.settings.moderator_password
        if not (password and kept):
            return ""
        mark = hmac.digest(self._key, f"{kept}\0{password}".encode("utf-8", "replace"), "sha256")
        async with self._one:
            if mark in self._right:
                return "right"
            wrong = self._wrong[known.slug]
            if len(wrong) == WRONG and monotonic() - wrong[0] < SECONDS:
                return "limited"
            if not await asyncio.to_thread(approval.is_right, password, kept):
                wrong.append(monotonic())
                return "wrong"
            if len(self._right) >= _KNOWN:
                self._right.clear()
            self._right[mark] = None
            return "right"
