"""approved: mail that carries the moderator's password.

`Approved: PASSWORD` as a field or as the first line of text (`postroad.mail.approval`) passes
everything that moderates. It passes no guard against loops: those stand before it.
"""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether it has a password. A wrong one is told to the moderator, and changes nothing."""
    match context.looked.approval:
        case "right":
            return Hit("it carries the moderator's password", "accept")
        case "wrong":
            return Hit("the password that it carries is wrong")
        case "limited":
            return Hit("it carries a password, after too many wrong ones: not looked at")
        case _:
            return None
