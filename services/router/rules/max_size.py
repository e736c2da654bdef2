"""max-size: mail larger than the list takes (`max_message_size`, in KB)."""

from __future__ import annotations

from services.router.context import Context, Hit

KB = 1_024


def check(context: Context) -> Hit | None:
    """Whether it is too large, headers and all; 0 is no limit."""
    limit, size = context.list.settings.max_message_size, context.mail.raw.size
    if not limit or size <= limit * KB:
        return None
    return Hit(f"it has {-(-size // KB):,} KB, more than the {limit:,} KB of this list")
