"""How a command is turned down."""

from __future__ import annotations

from schemas.commands import Code


class Refused(Exception):
    """The command cannot be done. The text is one line: what is wrong, and how to mend it."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
