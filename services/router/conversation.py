"""Where a post stands among those of its list: what it answers, or is a second copy of. Pure.

A post is found by its Message-ID, which anybody may write into a mail; so what is found is told as
what it is, a claim of the author's, and only of this list. The first post with an id is what
others mean by it; the same id with another text is another post. Posts may come out of order: an
answer leaves its mark on the id that it names, and the post that comes with that id joins the
answer's conversation, and names the answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from schemas.mail import HeaderFacts
from schemas.road import MailReceived
from schemas.threads import Named, Posted

NEAREST = 20  # Message-IDs before a post that are looked up, besides the first of all
ANSWERS = 20  # that are kept of an id not seen yet
CHANGED = 86_400_000  # the same between one and a copy that a list has changed
COPIES = 30 * 86_400_000  # milliseconds between a post and a second copy of it
TEXTS = 100  # that are kept of one id: the first, and the latest
# what a copy is called at a relay that keeps no Message-ID (`services.sender.compose`)
_COPY = re.compile(r"[a-z2-7]{29}\.([0-9a-f]{32})@[^@]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Mail ids of other posts of the list: what this one answers, the first of its conversation
    (itself, if it begins one), those that answered it before it came, and an earlier post with
    its Message-ID. A second copy has only `first`, the post that it is a copy of."""

    thread: str = ""
    parent: str = ""
    answers: tuple[str, ...] = ()
    namesake: str = ""
    first: str = ""


def key(message_id: str) -> str:
    """What a Message-ID is looked up by: 128 bits, in hex."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def before(facts: HeaderFacts) -> tuple[str, ...]:
    """The Message-IDs that a mail says it follows, the nearest first."""
    named = dict.fromkeys((facts.in_reply_to, *reversed(facts.references)))
    found = [each for each in named if each not in ("", facts.message_id)]
    return (*found[:NEAREST], *found[NEAREST:][-1:])


def copy_of(message_id: str) -> str:
    """The mail id of the post of which a copy of ours may have this id, else empty."""
    made = _COPY.fullmatch(message_id)
    return made[1] if made else ""


def changed_on_the_way(one: MailReceived, other: MailReceived) -> bool:
    """Whether two mails with the same Message-ID are one post, of which a list has changed a copy:
    at least one came through a list, and they have the same body, or an author in common, who may
    stand in Reply-To where From is the list's. Not for those who never met a list: programs use
    ids twice, and strangers can use them first."""
    through = any(each.facts.list_ids or each.facts.been_there for each in (one, other))
    if not through or not within(one.mail_id, other.mail_id, CHANGED):
        return False
    if one.body_sha256 == other.body_sha256 != "":
        return True
    return not _authors(one.facts).isdisjoint(_authors(other.facts))


def _authors(facts: HeaderFacts) -> frozenset[str]:
    return frozenset(box.address for box in (*facts.from_, *facts.reply_to))


def place(
    post: Posted, own: Sequence[str], named: Sequence[str], known: Mapping[str, Named]
) -> tuple[Place, dict[str, Named]]:
    """Where the post stands, and what has to be stored of it, in this order.

    `own` are the keys of the ids it goes by, `named` of those it follows, the nearest first,
    `known` is what the list knows of them. Once all of that is stored, asking again gives the
    same, and nothing to store.
    """
    had = [known[each] for each in own if each in known]
    for each in (posted for met in had for posted in met.posts):
        same = each.text == post.text != "" and each.mail != post.mail
        if same and within(each.mail, post.mail, COPIES):
            return Place(first=each.mail), {}
    there = [known[each] for each in named if each in known]
    firsts = [met.posts[0].mail for met in there if met.posts]
    parent = next((first for first in firsts if first != post.mail), "")
    mine = had[0] if had else None
    if mine and mine.posts and mine.posts[0].mail != post.mail:
        thread = there[0].thread if there else post.mail
        found = Place(thread, parent, namesake=mine.posts[0].mail)
    else:
        around = [mine] if mine and mine.posts else [*there, *had]
        thread = around[0].thread if around else post.mail
        found = Place(thread, parent, mine.answers if mine else ())
    return found, _marks(post, thread, named, known) | _claims(post, thread, own, known)


def within(one: str, other: str, time: int) -> bool:
    """Whether one may be a copy of the other, by the time of arrival in their ids (milliseconds,
    12 hex digits): a program that writes the same each month means each."""
    return abs(int(one[:12], 16) - int(other[:12], 16)) < time


def _marks(
    post: Posted, thread: str, named: Sequence[str], known: Mapping[str, Named]
) -> dict[str, Named]:
    """What is remembered of ids that no post has yet: of the nearest, so that the post that will
    have it finds its answers, and of the first of all, so that all of its answers meet."""
    if not named:
        return {}
    nearest, farthest = known.get(named[0]), named[-1]
    if nearest is None:
        # first where all that came at once meet: whoever is not ahead there learns the conversation
        unknown = not any(each in known for each in named)
        marks = {farthest: Named(thread=thread)} if unknown else {}
        return marks | {named[0]: Named(thread=thread, answers=(post.mail,))}
    answers = nearest.answers
    if nearest.posts or post.mail in answers or len(answers) >= ANSWERS:
        return {}
    return {named[0]: msgspec.structs.replace(nearest, answers=(*answers, post.mail))}


def _claims(
    post: Posted, thread: str, own: Sequence[str], known: Mapping[str, Named]
) -> dict[str, Named]:
    """What is remembered of the ids that the post goes by."""
    claims = {}
    for each in own:
        met = known.get(each) or Named(thread=thread)
        if any(posted.mail == post.mail for posted in met.posts):
            continue
        if met.posts:
            posts = (met.posts[0], *met.posts[1:][-TEXTS + 2 :], post)
            claims[each] = msgspec.structs.replace(met, posts=posts)
        else:
            claims[each] = msgspec.structs.replace(met, posts=(post,), thread=thread)
    return claims
