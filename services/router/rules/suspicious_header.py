"""suspicious-header: a header field with what the whole site looks for (`[site] header_checks`).

As Mailman's `header_checks`; what an entry says, and how it is searched for, is as in header-match.
"""

from __future__ import annotations

from services.router.context import Context, Hit
from services.router.rules.header_match import judge


def check(context: Context) -> Hit | None:
    """Whether one of the site's matches is found."""
    checks, fields = context.looked.header_checks, context.looked.fields
    return judge(checks, "header_checks", fields) if checks else None
