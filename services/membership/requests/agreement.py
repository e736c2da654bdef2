"""What is kept of how somebody agreed to what is done for them. Pure."""

from __future__ import annotations

from schemas.membership import Consent
from schemas.pending import ConfirmationAsked


def evidence(asked: ConfirmationAsked, mail_id: str) -> str:
    """Which mails asked this question and answered it, for people who look."""
    return f"asked in {asked.cause}, confirmed by mail {mail_id}"


def consent(asked: ConfirmationAsked, token: str, mail_id: str) -> Consent:
    """The yes to what was `asked`, given by the mail `mail_id`; `token` is a MAC of the one that
    they answered by."""
    return Consent(
        asked=asked.cause.partition(".")[0],  # behind it, the list
        text=asked.text,
        token=token,
        answered=mail_id,
    )
