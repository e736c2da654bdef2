"""What a worker makes of a mail: first without a moderator's password, then filtered. Pure."""

from __future__ import annotations

from services.router.content.approvalline import without_approval
from services.router.content.filtering import filtered
from services.router.content.job import Job, Left, joined


def left_of(data: bytes, job: Job) -> Left:
    """What the members of a list get of a whole mail. Raises nothing, whatever its octets are."""
    first = without_approval(data) if job.approval else Left()
    if job.criteria is None or first.held:
        return first
    made = joined(data, first.pieces) if first.pieces else data
    second = filtered(made, job.criteria)
    if not first.pieces:
        return second
    if second.empty or second.held:  # whoever lets it through lets no password through
        return Left(pieces=first.pieces, head=first.head, empty=second.empty, held=second.held)
    if not second.pieces:
        return first
    return Left(pieces=(joined(made, second.pieces),), head=second.head, filtered=True)
