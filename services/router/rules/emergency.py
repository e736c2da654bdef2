"""emergency: any mail, while the owner holds everything (`emergency`), but for what is approved."""

from __future__ import annotations

from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether the list holds all mail."""
    held = context.list.settings.emergency
    return Hit("the list holds all mail for now (emergency)") if held else None
