"""A letter before it is bytes: which text, about which list, to whom. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from postroad.mail.addresses import Form
from postroad.mail.identity import mail_id
from services.membership.letters.wording import Wording
from services.membership.lists import State


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What `compose` makes a mail of.

    `text` names a text of en.toml, or several, separated by spaces, which then make one mail;
    what these say to the reader is a matter of `wording`.
    `message_id` and `answering` (the Message-ID of the mail answered, empty where this answers
    none) are without brackets. `leave_token` makes the address to leave by, as programs see it,
    one that acts at once. `fields` are those of the texts that only the writer knows: token, days,
    subject, reason, verdict, count, other (a list); lists, failures, mails, waiting (several
    lines); people (how many).
    """

    text: str
    to: str
    list_address: str
    list_name: str
    list_description: str = ""
    form: Form
    date: datetime
    message_id: str
    answering: str = ""
    leave_token: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    wording: Wording = field(default_factory=Wording)

    @classmethod
    def of_list(
        cls,
        state: State,
        notice: str,
        *,
        text: str,
        to: str,
        date: datetime,
        fields: Mapping[str, str],
    ) -> Letter:
        """One that a list sends; `notice` is its mail id (see `notice_id`)."""
        return cls(
            text=text,
            to=to,
            list_address=state.address,
            list_name=state.name,
            list_description=state.settings.description,
            form=state.settings.sub_address,
            date=date,
            message_id=f"{notice}@{state.domain}",
            fields=fields,
        )


def notice_id(cause: str, list_slug: str, about: str) -> str:
    """The mail id of the letter sent `about` something because of `cause`: always the same.

    `cause` is the id of the mail (`<mail_id>-2` as well) or command that led to it; the letter
    sorts beside it.
    """
    arrived = int(cause[:12], 16)  # a UUIDv7 begins with its time
    return mail_id(f"letter {cause}", f"{list_slug} {about}", 0, 0, arrived, 0)
