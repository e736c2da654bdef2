"""What every copy of a post looks like: its header, and the list's lines around its text. Pure.

Nothing is changed here: edits and insertions travel with the decision, and the sender makes them.
In this order, as Mailman has it: what is not for members goes, or, at an anonymous list, all that
tells who wrote it; other lists' marks go and ours come; then whom an answer goes to, From where it
is to be munged, and the Subject.
"""

from __future__ import annotations

from email.utils import format_datetime
from functools import lru_cache

import msgspec

from postroad.mail import mergefields
from postroad.mail.arrived import written_at
from postroad.mail.edits import edit
from postroad.mail.footer import decorate
from postroad.mail.identity import made_message_id
from postroad.mail.listheaders import ANONYMOUS_HEADERS, archive_headers, cleansed, list_headers
from postroad.mail.mailboxes import write_mailboxes
from projections.lists import List
from schemas.mail import HeaderEdit, HeaderFacts, Mailbox
from schemas.road import MailReceived, PostRouted, RuleHit
from services.router.context import Context
from services.router.conversation import Place

BEEN_THERE = 30  # X-BeenThere fields that are carried on; as many hops as a mail may have


def post_edits(context: Context, web: str = "", *, munged: bool = False) -> tuple[HeaderEdit, ...]:
    """What a post's header needs. `web` is the base URL of our pages, empty where there are none;
    `munged` says that From must be the list's. Sender stays as it is where From does; everything
    signed stays, where the list's own headers allow."""
    known, facts = context.list, context.facts
    anonymous = known.settings.anonymous_list
    shown = copy_id(context.mail, known)
    edits = [*(_anonymous(known, context.mail, shown) if anonymous else cleansed())]
    edits += _edits_of_list(known, web)
    edits += _answers(known, facts)
    if munged and not anonymous:
        edits.append(edit("munge", "From", write_mailboxes((_itself(known),))))
    edits += archive_headers(shown, _page(known, web))
    return (*edits, *_been_there(context, known.address))


def owner_edits(context: Context) -> tuple[HeaderEdit, ...]:
    """Mail to owners goes as it came, but for a mark that tells when it comes round again."""
    return (*cleansed(), *_been_there(context, context.list.owner_address))


def copy_id(mail: MailReceived, known: List) -> str:
    """The Message-ID that members see, without brackets. Where the author must not be known it is
    ours, for programs put the name of their machine into it."""
    if known.settings.anonymous_list or not mail.facts.message_id:
        return made_message_id(mail.raw.mail_id, known.address)
    return mail.facts.message_id


def placed(post: PostRouted, known: List, place: Place) -> PostRouted:
    """The post with its place in its conversation. Where the author must not be known, what it
    follows is told by Message-IDs of ours."""
    edits = post.edits
    if known.settings.anonymous_list and place.parent:
        ids = [made_message_id(each, known.address) for each in (place.thread, place.parent)]
        before = " ".join(f"<{each}>" for each in dict.fromkeys(ids))
        edits += (edit("set", "In-Reply-To", f"<{ids[1]}>"), edit("set", "References", before))
    return msgspec.structs.replace(
        post,
        edits=edits,
        parent=place.parent,
        thread=place.thread,
        answers=place.answers,
        namesake=place.namesake,
        hits=(*post.hits, *_namesake(place)),
    )


def _namesake(place: Place) -> tuple[RuleHit, ...]:
    if not place.namesake:
        return ()
    reason = f"it has the Message-ID of another post, {place.namesake}, and another text"
    return (RuleHit(rule="duplicate", reason=reason),)


@lru_cache(maxsize=1_000)
def _edits_of_list(known: List, web: str) -> tuple[HeaderEdit, ...]:
    """The edits that are the same for every post to a list, under the settings it has now."""
    settings, prefix = known.settings, subject_prefix(known)
    return (
        *list_headers(
            known.address,
            settings.description or settings.display_name,
            settings.sub_address,
            post_allowed=settings.default_member_action not in ("reject", "discard"),
            links=settings.include_rfc2369_headers,
            web_base=_page(known, web),
        ),
        *([edit("prefix", "Subject", prefix)] if prefix else []),
    )


def _page(known: List, web: str) -> str:
    return f"{web}/lists/{known.slug}" if web else ""


def _anonymous(known: List, mail: MailReceived, message_id: str) -> tuple[HeaderEdit, ...]:
    """The list in From and To, and nothing left that tells who wrote it, but what the text says and
    how its content is described. Others it was sent to go too: authors stand among them, in other
    spellings, as a name or in a comment."""
    itself = write_mailboxes((_itself(known),))
    date = written_at(mail.facts.date) or mail.origin.arrived
    return (
        edit("remove", "*", " ".join(ANONYMOUS_HEADERS)),
        edit("set", "From", itself),
        edit("set", "To", itself),
        *((edit("set", "Date", format_datetime(date)),) if date else ()),
        edit("set", "MIME-Version", "1.0"),
        edit("set", "Message-ID", f"<{message_id}>"),
    )


def _answers(known: List, facts: HeaderFacts) -> tuple[HeaderEdit, ...]:
    """The edits that say whom an answer goes to (Mailman's `reply_goes_to_list`,
    `reply_to_address`, `first_strip_reply_to`)."""
    settings = known.settings
    ours: tuple[Mailbox, ...] = ()
    if settings.reply_goes_to_list == "point_to_list":
        ours = (_itself(known),)
    elif settings.reply_goes_to_list != "no_munging" and settings.reply_to_address:
        ours = (Mailbox(address=settings.reply_to_address),)
    there = (_itself(known),) if settings.anonymous_list else facts.reply_to
    if settings.first_strip_reply_to:
        there = ()
    missing = tuple(box for box in ours if box.address not in {each.address for each in there})
    if there and not settings.anonymous_list:  # what the author wrote stays as it is
        return (edit("also", "Reply-To", write_mailboxes(missing)),) if missing else ()
    if answers := (*missing, *there):
        return (edit("set", "Reply-To", write_mailboxes(answers)),)
    return (edit("remove", "Reply-To"),) if settings.first_strip_reply_to else ()


def _been_there(context: Context, here: str) -> tuple[HeaderEdit, ...]:
    """Every list it went through, and this one: two lists that are members of each other take
    off each other's List-Id, so only this tells that a mail comes round."""
    before = context.facts.been_there[-BEEN_THERE:]
    return (
        edit("remove", "X-BeenThere"),
        *(edit("add", "X-BeenThere", address) for address in (*before, here)),
    )


def subject_prefix(known: List) -> str:
    """`[Name]` unless the list says otherwise; empty for none."""
    if known.settings.subject_prefix is not None:
        return known.settings.subject_prefix.strip()
    return f"[{list_name(known)}]"


def _itself(known: List) -> Mailbox:
    return Mailbox(address=known.address, name=list_name(known))


def list_name(known: List) -> str:
    """What people call it."""
    return known.settings.display_name or known.address.partition("@")[0]


def wraps(post: PostRouted, known: List) -> bool:
    """Whether the author's mail goes into one of the list's (`wrap_message`)."""
    wanted = known.settings.dmarc_mitigate_action == "wrap_message"
    return wanted and any(hit.rule == "dmarc" for hit in post.hits)


def has_lines(post: PostRouted, known: List) -> bool:
    """Whether the list puts any around the text of this post."""
    settings = known.settings
    text = settings.dmarc_wrapped_message_text if wraps(post, known) else ""
    return bool(settings.header or settings.footer or text)


def decorated(post: PostRouted, known: List, data: bytes) -> PostRouted:
    """The post with the list's header and footer, where a mail of these octets can have them."""
    made = decorate(data, post.raw.head, *_lines_of(known, wrapped=wraps(post, known)))
    if made is None:
        return post
    edits = (*post.edits, *made.edits)
    return msgspec.structs.replace(post, edits=edits, insertions=made.insertions)


@lru_cache(maxsize=1_000)
def _lines_of(known: List, *, wrapped: bool) -> tuple[mergefields.Pieces, mergefields.Pieces]:
    settings = known.settings
    values = mergefields.of_list(
        known.address, settings.sub_address, list_name(known), settings.description
    )
    above = (settings.dmarc_wrapped_message_text if wrapped else "", settings.header)
    return (
        mergefields.fill(mergefields.parse("\n\n".join(filter(None, above))), values),
        mergefields.fill(mergefields.parse(settings.footer), values),
    )
