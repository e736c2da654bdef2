"""spam: mail that a filter takes for spam (`spam_action`).

Filters are those that the site names: headers that a mail server in front writes (`spam_headers`
of `[site]`), and spamd (`[spamd]`). What they do not tell, because they are away or the mail is
too large for them, counts for nothing, unless the list has such mail held.
"""

from __future__ import annotations

from postroad.mail.spamscore import Score
from services.router.context import Context, Hit


def check(context: Context) -> Hit | None:
    """Whether one of the filters has enough against it."""
    settings, found = context.list.settings, context.looked.spam
    if found is None or settings.spam_action == "defer":
        return None
    limit = settings.spam_discard_threshold
    for score in found.scores:
        if limit and score.points is not None and score.points >= limit:
            return Hit(f"a spam filter {_says(score)}", "discard")
    for score in found.scores:
        if _is_spam(score, settings.spam_threshold):
            return Hit(f"a spam filter {_says(score)}", settings.spam_action)
    if found.unchecked and settings.spam_hold_unchecked:
        return Hit("the spam filter did not answer", "hold")
    return None


def _is_spam(score: Score, limit: float) -> bool:
    """By the list's own limit, where it has one and the filter tells points."""
    return score.points >= limit if limit and score.points is not None else score.spam


def _says(score: Score) -> str:
    if score.points is None:
        return "takes it for spam"
    tests = f": {', '.join(score.tests)}" if score.tests else ""
    return f"gives it {score.points:g} points{tests}"
