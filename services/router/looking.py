"""Fetches what rules need beyond the header facts: only what the list's settings, and the mail,
ask for, so that a mail to a list without such rules costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from postroad.mail import approval, headermatch
from postroad.mail.headers import decoded_fields
from postroad.mail.parts import first_lines
from postroad.runtime.blobs import RawMail
from postroad.runtime.errors import SettingsError
from projections.lists import List
from schemas.road import MailReceived
from services.router.context import NOTHING, Looked
from services.router.passwords import Passwords

LINES = 10  # of what the author wrote


class Looker:
    """Looks into mails. `header_checks` are what the site looks for in headers; SettingsError
    where one cannot be read."""

    def __init__(
        self, header_checks: Sequence[str] = (), passwords: Passwords | None = None
    ) -> None:
        try:
            self._checks = tuple(str(headermatch.typed(line)) for line in header_checks)
        except ValueError as error:
            raise SettingsError(f"[site] header_checks: {error}") from None
        self._passwords = passwords or Passwords()

    async def look(self, mail: MailReceived, known: List, raw: RawMail) -> Looked:
        """What the rules of this list need of this mail. Raises Retry, Reject (see `get_raw`)."""
        claims = mail.facts.approval or mail.opening == "approval"
        password = claims and known.settings.moderator_password
        if not (password or self._checks or known.settings.header_matches):
            return NOTHING
        data = await raw.start()
        fields = decoded_fields(data)
        lines = first_lines(data, LINES) if password else ()
        judged = await self._passwords.judge(known, approval.claimed(fields, lines))
        return Looked(fields=fields, lines=lines, approval=judged, header_checks=self._checks)
