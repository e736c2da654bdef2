"""What a rule looks at, and what it answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from postroad.mail.spamscore import Score
from projections.lists import List
from schemas.commands import Author
from schemas.mail import HeaderEdit, HeaderFacts
from schemas.road import MailReceived
from schemas.seen import Seen
from services.router.content.job import Left

Approval = Literal["", "right", "wrong", "limited"]
Verdict = Literal["accept", "hold", "reject", "discard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dmarc:
    """What name servers say of the author's domain: its policy for mail that nothing proves to be
    its own, `unknown` where they do not answer. Where that matters, `signers` are the domains whose
    signatures count for it and were found good, and `head` is the mail's header block."""

    policy: Literal["none", "quarantine", "reject", "unknown"]
    signers: frozenset[str] = frozenset()
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Hit:
    """The rule applies. `reason` is for people and holds no address; `verdict` is set only by
    rules whose verdict is a setting."""

    reason: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooked:
    """What the operator's hooks say of a mail: their hits, and edits of its header. Where one could
    not be asked, only why."""

    trouble: str = ""
    hits: tuple[Hit, ...] = ()
    edits: tuple[HeaderEdit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spam:
    """What spam filters think of it. `unchecked`: one was asked, and did not answer."""

    scores: tuple[Score, ...] = ()
    unchecked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What rules need beyond the header facts and had to be fetched. A field stays as it is here
    where neither the list's settings nor the mail asks for it, so a rule that needs it misses then.

    `fields` are all header fields in order: name in lower case and decoded value. `lines` are the
    first lines of what the author wrote, without blanks around them, empty ones left out.
    `approval` says what was found of the moderator's password (`limited`: not looked at, after too
    many wrong ones). `header_checks` are what the site looks for in headers.
    `filtered` is what the content filter leaves of it. `meant`: whatever To and Cc say, where it
    came from makes it mail for this list. `dmarc` is of the author's domain,
    `spam` of filters, `hooked` of hooks.
    """

    fields: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()
    approval: Approval = ""
    header_checks: tuple[str, ...] = ()
    filtered: Left | None = None
    meant: bool = False
    dmarc: Dmarc | None = None
    spam: Spam | None = None
    hooked: Hooked | None = None


NOTHING = Looked()


@dataclass(frozen=True, slots=True)
class Context:
    """One mail before one list, and what membership says of its author there. `this` is what is
    to be remembered of it as a post, `earlier` what is of the author's earlier ones."""

    mail: MailReceived
    list: List
    author: Author
    this: Seen | None = None
    earlier: tuple[Seen, ...] = ()
    looked: Looked = NOTHING

    @property
    def facts(self) -> HeaderFacts:
        """What the header scanner found."""
        return self.mail.facts
