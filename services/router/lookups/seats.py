"""How many mails may wait for an answer at once: others that need none go on meanwhile."""

from __future__ import annotations

from postroad.runtime.errors import Busy

MOST = 24  # for each who is asked; the router has 64 in hand

AGAIN = 0.2  # seconds; most answers take less


class Seats:
    """Taken for the length of a block. Raises Busy where none is free: come again in a moment."""

    def __init__(self) -> None:
        self._taken = 0

    def __enter__(self) -> None:
        if self._taken >= MOST:
            raise Busy("many mails wait for what others say of them", AGAIN)
        self._taken += 1

    def __exit__(self, *_: object) -> None:
        self._taken -= 1
