"""Mail and lists for the router's tests: what is not said is ordinary."""

from __future__ import annotations

from typing import Any

import msgspec

from postroad.mail.headers import scan
from projections.lists import List
from schemas.commands import Author
from schemas.lists import ListSettings
from schemas.mail import HeaderFacts, RawRef
from schemas.road import AsOf, MailReceived, Origin
from services.router.context import NOTHING, Context, Looked

MAIL_ID = "019cb7a1c47070008000000000000001"
RAW = RawRef(mail_id=MAIL_ID, chunks=1, size=1000, sha256="ab" * 32, head=400)
AS_OF = AsOf(membership=41, people=17)

STRANGER = Author(as_of=AS_OF)
MEMBER = Author(person="a1" * 12, roles=("member",), as_of=AS_OF)
OWNER = Author(person="0b" * 12, roles=("owner",), as_of=AS_OF)


def received(facts: HeaderFacts, **more: Any) -> MailReceived:
    """A mail with these facts."""
    return MailReceived(
        mail_id=MAIL_ID, origin=Origin(source="office"), raw=RAW, facts=facts, **more
    )


def mail(*lines: str, trusted: tuple[str, ...] = (), **more: Any) -> MailReceived:
    """A mail from Ann to the team with these header lines besides; a line `Name:` alone takes
    the ordinary one off."""
    ordinary = {"From": "Ann <ann@example.org>", "To": "team@lists.example.org", "Subject": "Tea"}
    named = {line.partition(":")[0] for line in lines}
    head = [line for line in lines if not line.endswith(":")]
    head += [f"{name}: {value}" for name, value in ordinary.items() if name not in named]
    facts, _ = scan("\r\n".join([*head, "", "Anyone?"]).encode(), trusted)
    return received(facts, **more)


def the_list(**settings: Any) -> List:
    """team@lists.example.org with these settings."""
    known = ListSettings(display_name="Team")
    return List(
        slug="team",
        address="team@lists.example.org",
        settings=msgspec.structs.replace(known, **settings),
        seq=9,
    )


def before(
    received: MailReceived,
    author: Author = MEMBER,
    known: List | None = None,
    looked: Looked = NOTHING,
) -> Context:
    """A mail before a list, as a rule sees it."""
    return Context(received, known or the_list(), author, looked=looked)
