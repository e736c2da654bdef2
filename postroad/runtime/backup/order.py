"""In which order streams are copied while the system runs, so that what is restored fits together.

A backup is no moment: the last stream is copied seconds or minutes after the first. Three rules
keep a restored system from sending twice, and from believing to have done what it has not:

1. Marks of work that is done come first. A mark that is older than the work only has it done
   again, which all work bears; a mark that is newer would leave it undone for ever. Marks are the
   consumers' positions, the sources' checkpoints, how far letters and counts have come (PENDING),
   what was parked, and the events `done` in ROUTED: of these a restore leaves out those that were
   not there when the backup began.
2. The ledger comes behind what it is the ledger of: SEND, then DELIVERY. So of every chunk in the
   copy it is known who had it when SEND was copied.
3. Behind both comes what they rest on, each stream behind those that speak of it: decisions, mail,
   members, lists, addresses. So a chunk that only the ledger knows is made again from the very
   decision that it was made from, with the same name and people, and is found to be sent.
"""

from __future__ import annotations

from schemas import subjects

ORDER = (
    *("KV_CHECKPOINTS", "PENDING", "DEADLETTER"),
    *("SEND", "DELIVERY"),
    *("ROUTED", "THREADS", "SEEN", "RECEIVED", "RAW"),
    *("MEMBERSHIP", "LISTS", "PEOPLE"),
    "SPANS",
)
DONE = "mail.routed.done."  # the marks among the decisions
MARKED = "ROUTED"


def ordered() -> tuple[str, ...]:
    """Every stream there is; those without a place, of a newer release, last."""
    known = [stream.name for stream in subjects.STREAMS]
    return (*ORDER, *(name for name in known if name not in ORDER))
