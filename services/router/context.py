"""What a rule looks at, and what it answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.commands import Author
from schemas.mail import HeaderFacts
from schemas.road import MailReceived
from services.router.lists import List

Verdict = Literal["accept", "hold", "reject", "discard"]


@dataclass(frozen=True, slots=True)
class Context:
    """One mail before one list, and what membership says of its author there."""

    mail: MailReceived
    list: List
    author: Author

    @property
    def facts(self) -> HeaderFacts:
        """What the header scanner found."""
        return self.mail.facts


@dataclass(frozen=True, slots=True)
class Hit:
    """The rule applies. `reason` is for people and holds no address; `verdict` is set only by
    rules whose verdict is a setting."""

    reason: str
    verdict: Verdict | None = None
