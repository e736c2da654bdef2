"""header-match: a header field with what the list looks for (`header_matches`).

The matches are asked in their order, and the first that is found decides. Of one name 10 fields
are looked at, the first 2,000 characters of each, with encoded words decoded.
"""

from __future__ import annotations

from postroad.mail import headermatch, patterns
from services.router.context import Context, Hit

FIELDS = 10


def check(context: Context) -> Hit | None:
    """Whether one of the list's matches is found."""
    matches = context.list.settings.header_matches
    return judge(matches, "header_matches", context.looked.fields) if matches else None


def judge(
    matches: tuple[str, ...], setting: str, fields: tuple[tuple[str, str], ...]
) -> Hit | None:
    """A hit of the first match of this setting that these fields have."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    wanted = headermatch.by_header(matches)
    if not any(
        patterns.any_found(these, value)
        for name, these in wanted
        for value in values.get(name, ())[:FIELDS]
    ):
        return None  # as of nearly all mail
    for number, match in enumerate(headermatch.read(matches), 1):
        present = values.get(match.header.lower(), ())[:FIELDS]
        if any(patterns.found(match.pattern, value) for value in present):
            # a reason holds no address, and a pattern may be one
            what = "what is looked for" if "@" in match.pattern else match.pattern
            return Hit(f"its {match.header} has {what} ({setting}, {number})", match.action)
    return None
