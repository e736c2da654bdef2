"""loop: mail that has been through this very list before.

Seen by this list's own List-Id, List-Post or X-BeenThere. Those of other lists are legal: a list
may be a member of a list. X-BeenThere tells when two lists are members of each other: each strips
the other's List-Id, but every list adds its own X-BeenThere and keeps the others'.

Where a relay makes us send as the list, our copies are From the list itself. Such a copy that lost
the other marks is a loop too if it still says that it came through a list; else a person may have
written it under that address, and a moderator looks at it.
"""

from __future__ import annotations

from postroad.mail.listheaders import list_id
from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the mail carries a mark that only this list sets."""
    facts, here = context.facts, context.list
    if list_id(here.address) in facts.list_ids:
        return Hit("it carries the List-Id of this list")
    if not {*here.names}.isdisjoint(facts.list_posts):
        return Hit("it carries the List-Post of this list")
    if not {*here.names, here.owner_address}.isdisjoint(facts.been_there):
        return Hit("it carries the X-BeenThere of this list")
    return None


def check_post(context: Context) -> Hit | None:
    """The same, and whether the list itself is the author."""
    facts, here = context.facts, context.list
    if hit := check(context):
        return hit
    if {*here.names}.isdisjoint(box.address for box in facts.from_):
        return None
    if facts.precedence == "list" or facts.auto_submitted not in ("", "no"):
        return Hit("it is from the list itself, and marked as mail of a list or a machine")
    return Hit("it is from the list itself", "hold")
