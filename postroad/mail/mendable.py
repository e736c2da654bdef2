"""What the author of a stopped mail is told of why: what they can mend, and nothing else. Pure.

A letter and a refusal in the dialogue say the same. What is looked for in mail, what a filter
thinks, who is a member and who is banned is the owners' business: whoever reads the answer may
only pretend to be the author, or try out what passes.
"""

from __future__ import annotations

from schemas.lists import ListSettings
from schemas.road import MailStopped

RULES = ("max-size", "max-recipients", "no-subject", "implicit-dest", "emergency")


def mendable(event: MailStopped, settings: ListSettings) -> str:
    """Why a rule stopped the mail, in its words or in those of the owner
    (`dmarc_moderation_notice`); empty where that is not for its author."""
    if event.held or not event.hits:
        return ""
    hit, notice = event.hits[0], settings.dmarc_moderation_notice
    told = hit.rule in RULES or (hit.rule == "dmarc" and hit.reason == notice)
    return hit.reason if told else ""
