"""repetition: an author who says the same again and again, as only a robot does, or a circle.

Where copies are sent From the list, a vacation program that sets no mark answers them with what
looks like a post; the copy of that it answers too, and so on. What is held goes to nobody, so
the first hold ends it. Three signs, each with how many posts people may send within a time:

- the same body: one text for every mail;
- the same subject, less `Re:` and `[tags]`: robots that quote what they answer, or count;
- answers to the author's own answers, one below the other: robots that write their own subjects.

These count only what answers something: a program that reports, or a person who sends two hundred
mails, writes no answers; a robot that goes round writes nothing else. Two more count any mail:

- one mail that comes again and again, with one Date, subject and beginning, and the same attached:
  between two lists that are members of each other something takes off all marks that `loop` knows,
  while the lines that lists add make each round's body another;
- the same body under the same subject, where nobody has said that all of this author's mail is to
  be accepted.

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
from schemas.commands import Author
from schemas.road import MailReceived
from schemas.seen import Seen
from services.router.context import Context, Hit

SHORT, LONG = 10, 24 * 60  # minutes
BODIES = ((3, SHORT), (10, LONG))
SUBJECTS = ((10, SHORT), (50, LONG))
ANSWERS = 5  # one below the other, within SHORT
REMEMBERED = 100  # posts that answer something
BEGUN = 20  # posts that do not: little is stored for each mail of a program that sends many


def check(context: Context) -> Hit | None:
    """Whether the author's earlier posts to this list are too much like this one."""
    this = context.this
    if this is None:
        return None
    earlier = [seen for seen in context.earlier if seen.post != this.post]
    for posts, minutes in BODIES:
        if sum(_is_same(this, seen) for seen in _since(minutes, this, earlier)) >= posts:
            told = f"this very mail came {posts} times before within {_told(minutes)}"
            return Hit(f"{told}: it goes round in a circle")
    return _repeated(this, earlier, context.author) if this.begins else _answered(this, earlier)


def _repeated(this: Seen, earlier: Sequence[Seen], author: Author) -> Hit | None:
    """Of mail that answers nothing."""
    posts, minutes = BODIES[0]
    since = [seen for seen in _since(minutes, this, earlier) if seen.body == this.body]
    if sum(_one_subject(this, seen) for seen in since) < posts or author.moderation == "accept":
        return None
    return Hit(
        f"its author sent this very text under this subject {posts} times before within "
        f"{_told(minutes)}"
    )


def _answered(this: Seen, earlier: Sequence[Seen]) -> Hit | None:
    """Of answers, among answers."""
    earlier = [seen for seen in earlier if not seen.begins]
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


def same_moment(this: Seen, earlier: Sequence[Seen]) -> bool:
    """Whether one of these may be this very mail, by what its header says."""
    return any(_one_moment(this, seen) for seen in earlier if seen.post != this.post)


def answers(mail: MailReceived) -> bool:
    """Whether the mail answers another, by its marks or by its Subject."""
    facts = mail.facts
    return bool(facts.in_reply_to or facts.references) or is_reply(facts.subject)


def seen(mail: MailReceived, post: str, at: datetime) -> Seen:
    """What to remember of a mail as a post; `post` is its digest, `at` when it arrived."""
    facts, answer = mail.facts, answers(mail)
    full, less = (
        " ".join(each.casefold().split()) for each in (facts.subject, bare(facts.subject))
    )
    return Seen(
        at=int(at.timestamp()),
        post=post,
        body=mail.body_sha256[:16],
        subject=_digest(bare(facts.subject).casefold()),
        title=_digest(full) if full != less else "",
        written=_digest(facts.date),
        begins=not answer,
        message=_digest(facts.message_id) if answer else "",
        answers=_digest(facts.in_reply_to or "".join(facts.references[-1:])),
    )


def remembered(earlier: tuple[Seen, ...], this: Seen) -> tuple[Seen, ...]:
    """The author's posts with `this` among them, as far as they matter tomorrow."""
    posts = [*(seen for seen in _since(LONG, this, earlier) if seen.post != this.post), this]
    begun = [seen for seen in posts if seen.begins][-BEGUN:]
    return (*begun, *[seen for seen in posts if not seen.begins][-REMEMBERED:])


def _since(minutes: int, this: Seen, earlier: Sequence[Seen]) -> list[Seen]:
    return [seen for seen in earlier if abs(this.at - seen.at) < minutes * 60]


def _is_same(this: Seen, seen: Seen) -> bool:
    """Whether both are one mail that comes again: the first had nothing to be compared with."""
    return _one_moment(this, seen) and seen.gist in ("", this.gist)


def _one_moment(this: Seen, seen: Seen) -> bool:
    return seen.written == this.written != "" and _one_subject(this, seen)


def _one_subject(this: Seen, seen: Seen) -> bool:
    """Two that differ in tags are two, as hosts have it that report; lists put theirs before a
    subject that had none."""
    return seen.subject == this.subject and (
        seen.title == this.title or not (seen.title and this.title)
    )


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
