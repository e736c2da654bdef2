"""Which failure of a report is whose, and what is kept of it. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from postroad.mail.addresses import normalise
from postroad.mail.bounce import Bounce
from postroad.mail.bounce.classify import kind_of
from postroad.mail.bounce.codes import Code
from postroad.mail.bounce.wording import ADDRESS
from postroad.mail.words import printable
from schemas.membership import MemberBounced
from schemas.road import Failure

SAID = 200  # characters kept of what a server said
_SHORTEST = 3  # of a local part that is looked for: shorter ones are in every text
_SAID = re.compile(  # words of servers, which tell nothing of an address that is one of them
    "access|account|address|blocked|box|denied|disabled|domain|error|exist|failed|full|host|inbox"
    "|invalid|local|mail|mailbox|message|not|over|policy|quota|recipient|rejected|relay|said"
    "|server|spam|status|storage|system|temporary|the|unknown|user",
    re.IGNORECASE,
)


def of_report(
    bounce: Bounce, address: str, *, at: datetime, post: str, report: str, proved: bool = True
) -> MemberBounced:
    """What a report says of this address; a token `proved` whose copy it is about. One that names
    only others was sent on to them, so its gravest failure is the member's."""
    own = normalise(address)
    mine = next((each for each in bounce.failures if each.recipient == own), None)
    found = mine or bounce
    return MemberBounced(
        kind=found.kind,
        at=at,
        post=post,
        report=report,
        status=found.status,
        said=redacted(found.diagnostic, address),
        server=redacted(bounce.server, address),
        proved=proved,
        delayed=found.delayed,
    )


def of_refusal(failure: Failure, address: str, *, at: datetime, post: str) -> MemberBounced | None:
    """What the final refusal of a copy says of its recipient; None where it was not about them."""
    if failure.kind != "failed" or failure.scope != "recipient" or failure.code < 400:
        return None
    kind = kind_of(Code(failure.enhanced, failure.code), failure.text)
    said = redacted(f"{failure.code} {failure.enhanced} {failure.text}", address)
    return MemberBounced(kind=kind, at=at, post=post, status=failure.enhanced, said=said)


def redacted(text: str, address: str) -> str:
    """What a server said, in one line without addresses, nor the recipient's name at its own."""
    text = ADDRESS.sub("(address)", " ".join(text.split()))
    local = address.rpartition("@")[0]
    if len(local) >= _SHORTEST and not _SAID.fullmatch(local):
        text = re.sub(
            rf"(?<![^\W_]){re.escape(local)}(?![^\W_])", "(address)", text, flags=re.IGNORECASE
        )
    return printable(text, SAID)
