"""truth: mail that no rule objects to (it is the last row of a table, and always hits)."""

from __future__ import annotations

from services.router.context import Context, Hit


def check(_: Context) -> Hit | None:
    """Yes."""
    return Hit("no rule objects")
