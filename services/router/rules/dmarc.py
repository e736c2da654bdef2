"""dmarc: an author whose domain wants changed mail refused (`dmarc_mitigate_action`).

Receivers would refuse the copies, and members would be taken for dead. Nothing is to be done where
a signature of the author holds on the copies, for that is proof enough (RFC 9989 section 7.4), and
where copies prove by themselves to be of that domain.
"""

from __future__ import annotations

from postroad.mail import senders
from postroad.mail.survival import survives
from services.router.context import Context, Hit
from services.router.copies import post_edits


def check(context: Context) -> Hit | None:
    """A verdict where such mail is to be stopped; without one From is to be the list's."""
    settings = context.list.settings
    action = settings.dmarc_mitigate_action
    if action == "no_mitigation" or settings.anonymous_list:
        return None
    reason = _reason(context)
    if not reason:
        return None
    if action == "reject" or action == "discard":  # noqa: PLR1714  mypy knows what is left
        return Hit(settings.dmarc_moderation_notice or reason, action)
    return Hit(reason)


def _reason(context: Context) -> str:
    settings, found = context.list.settings, context.looked.dmarc
    passes = settings.dmarc_mitigate_action not in ("reject", "discard")
    named, author = settings.dmarc_addresses, context.author
    if any(senders.named(named, box.address, author.named) for box in context.facts.from_):
        return "its author is named in dmarc_addresses"
    if settings.dmarc_mitigate_unconditionally and passes:
        return "From is the list's in every mail (dmarc_mitigate_unconditionally)"
    if found is None or found.policy == "none":
        return ""
    if found.policy == "unknown":
        wanted = settings.dmarc_mitigate_unknown and passes
        return "the policy of its author's domain could not be looked up" if wanted else ""
    if not _body_changes(context) and survives(found.head, post_edits(context), found.signers):
        return ""
    return f"its author's domain has receivers refuse what a list changes (p={found.policy})"


def _body_changes(context: Context) -> bool:
    settings, filtered = context.list.settings, context.looked.filtered
    rewritten = context.mail.raw.part > 0  # by a hook
    return bool(rewritten or settings.header or settings.footer or (filtered and filtered.pieces))
