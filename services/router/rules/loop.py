"""loop: the mail has been through this very list before.

Seen by this list's own List-Id, List-Post or X-BeenThere. Those of other lists are legal: a list
may be a member of a list. X-BeenThere tells when two lists are members of each other: each strips
the other's List-Id, but every list adds its own X-BeenThere and keeps the others'.
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
