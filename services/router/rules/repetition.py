"""repetition: an author who says the same again and again, as only a robot does.

Where copies are sent From the list, a vacation program that sets no mark answers them with what
looks like a post; the copy of that it answers too, and so on. What is held goes to nobody, so
the first hold ends it. Three signs, each with how many posts people may send within a time:

- the same body: one text for every mail;
- the same subject, less `Re:` and `[tags]`: robots that quote what they answer, or count;
- answers to the author's own answers, one below the other: robots that write their own subjects.

Only what answers something is counted: a program that reports, or a person who sends two hundred
mails, writes no answers; a robot that goes round writes nothing else.

Times are those of arrival, so that a mailbox full of old mail repeats nothing. Mail from other
lists does not come here: many people may write under one From there, and X-BeenThere tells if it
goes round. None of this is reached by a lively thread, a series of patches, or an evening's mail
sent at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from postroad.mail.subjectline import bare, is_reply
from schemas.road import MailReceived
from schemas.seen import Seen
from services.router.context import Context, Hit

SHORT, LONG = 10, 24 * 60  # minutes
BODIES = ((3, SHORT), (10, LONG))
SUBJECTS = ((10, SHORT), (50, LONG))
ANSWERS = 5  # one below the other, within SHORT
REMEMBERED = 100  # posts


def check(context: Context) -> Hit | None:
    """Whether the author's earlier posts to this list are too much like this one."""
    this = context.this
    if this is None:
        return None
    earlier = [seen for seen in context.earlier if seen.post != this.post]
    for posts, minutes in BODIES:
        if sum(seen.body == this.body for seen in _since(minutes, this, earlier)) >= posts:
            return Hit(
                f"its author sent this very text {posts} times before within {_told(minutes)}"
            )
    for posts, minutes in SUBJECTS:
        if sum(seen.subject == this.subject for seen in _since(minutes, this, earlier)) >= posts:
            return Hit(f"its author sent {posts} posts on this subject within {_told(minutes)}")
    if _depth(this, _since(SHORT, this, earlier)) > ANSWERS:
        return Hit(f"its author has answered own answers {ANSWERS} times within {_told(SHORT)}")
    return None


def answers(mail: MailReceived) -> bool:
    """Whether the mail answers another, by its marks or by its Subject."""
    facts = mail.facts
    return bool(facts.in_reply_to or facts.references) or is_reply(facts.subject)


def seen(mail: MailReceived, post: str, at: datetime) -> Seen:
    """What to remember of a mail as a post; `post` is its digest, `at` when it arrived."""
    facts = mail.facts
    return Seen(
        at=int(at.timestamp()),
        post=post,
        body=mail.body_sha256[:16],
        subject=_digest(bare(facts.subject).casefold()),
        message=_digest(facts.message_id),
        answers=_digest(facts.in_reply_to or "".join(facts.references[-1:])),
    )


def remembered(earlier: tuple[Seen, ...], this: Seen) -> tuple[Seen, ...]:
    """The author's posts with `this` among them, as far as they matter tomorrow."""
    others = (seen for seen in _since(LONG, this, earlier) if seen.post != this.post)
    return (*others, this)[-REMEMBERED:]


def _since(minutes: int, this: Seen, earlier: Sequence[Seen]) -> list[Seen]:
    return [seen for seen in earlier if abs(this.at - seen.at) < minutes * 60]


def _depth(this: Seen, earlier: Sequence[Seen]) -> int:
    """How many posts of this author stand above this one, each answered by the next."""
    above = {seen.message: seen.answers for seen in earlier if seen.message}
    depth, at = 0, this.answers
    while at in above and depth <= ANSWERS:  # a circle ends too
        depth, at = depth + 1, above[at]
    return depth


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if text else ""


def _told(minutes: int) -> str:
    return f"{minutes} minutes" if minutes == SHORT else "a day"
