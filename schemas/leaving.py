"""Leave links (`postroad.mail.leavelink`), as the web service asks membership about them and is
answered. Never stored."""

from __future__ import annotations

from typing import Literal

from schemas.commands import Command

# what came of a link: its person is on the list, or not; is forgotten; the link is none of ours
Standing = Literal["", "member", "left", "erased", "unknown"]


class LookAtLink(Command, kw_only=True):
    """Endpoint `leave_look`: whom a link would take off what. Changes nothing."""

    list: str  # slug
    token: str


class FollowLink(LookAtLink, kw_only=True):
    """Endpoint `leave`: take them off."""


class Leaving(Command, kw_only=True):
    """The answer to both. `standing` is empty where membership could not say; `changed` where
    they were on the list until now. `leave` and `join` are mailto links that do it by mail, `join`
    only where the list is open. Of a list that a link only names, there is `leave` and no more."""

    standing: Standing = ""
    changed: bool = False
    name: str = ""
    leave: str = ""
    join: str = ""
