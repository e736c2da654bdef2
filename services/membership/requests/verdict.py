"""An answer of somebody who runs a list, handed to the desk that their token is of."""

from __future__ import annotations

from schemas.pending import VerdictAsked
from services.membership.directory import Listed
from services.membership.requests.deeds import Office
from services.membership.requests.reply import Reply


async def obey(
    office: Office,
    listed: Listed,
    asked: VerdictAsked,
    *,
    token: str,
    subject: str,
    text: str,
    cause: str,
    mail_id: str,
    foreign: bool,
) -> Reply:
    """What came of it. `foreign` where the mail's address named no list, as in `Turn`."""
    if not (foreign or asked.list == listed.state.slug):
        return await office.verdicts.stray(listed, asked, correlation=mail_id)
    if asked.request:
        return await office.approvals.obey(
            listed, asked, token=token, subject=subject, text=text, mail_id=mail_id
        )
    return await office.verdicts.obey(
        listed, asked, token=token, subject=subject, text=text, cause=cause, mail_id=mail_id
    )
