"""A command in the Subject, at a list that has no other place for one (`sub_address = "none"`).

Only a Subject that is nothing but a command counts; whatever else it says, the mail is a post.
Pure.
"""

from __future__ import annotations

from postroad.mail.addresses import Match
from postroad.mail.commandwords import exact, list_names
from projections.lists import List


def subject_command(known: List, subject: str) -> Match | None:
    """What this subject (decoded) asks of the list, as if sent to that sub-address; None for a
    post. What -request would do is read from the mail again, as if sent there."""
    word = exact(subject, list_names(known.names))
    if word is None:
        return None
    if word.name in ("confirm", "leave", "join"):
        return Match(known.slug, word.name, word.token)
    return Match(known.slug, "request")
