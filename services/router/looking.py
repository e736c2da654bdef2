"""Fetches what rules need beyond the header facts: only what the list's settings, and the mail,
ask for, so that a mail to a list without such rules costs nothing.
"""

from __future__ import annotations

from postroad.mail.headers import decoded_fields
from postroad.mail.parts import first_lines
from postroad.runtime.blobs import RawMail
from projections.lists import List
from schemas.road import MailReceived
from services.router.context import NOTHING, Looked

LINES = 10  # of what the author wrote


async def look(mail: MailReceived, known: List, raw: RawMail) -> Looked:
    """What the rules of this list need of this mail. Raises Retry, Reject (see `get_raw`)."""
    fields, lines = _wants_fields(known), _wants_lines(mail, known)
    if not (fields or lines):
        return NOTHING
    data = await raw.start()
    return Looked(
        fields=decoded_fields(data) if fields else (),
        lines=first_lines(data, LINES) if lines else (),
    )


def _wants_fields(_: List) -> bool:
    return False


def _wants_lines(_: MailReceived, __: List) -> bool:
    return False
