"""The whole vocabulary: streams, subjects, durables, and which service may publish what.

Subject tokens are slugs, ids and numbers. No address ever stands in a subject.
"""

from __future__ import annotations

from typing import Literal

import msgspec

DAY = 86_400


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One JetStream stream. `max_age` in seconds, 0 for none: streams that are kept "until
    finished" have none, because age alone would delete unfinished work."""

    name: str
    subjects: tuple[str, ...]
    max_age: int = 0
    schedules: bool = False
    per_subject: int = -1
    relaxed: bool = False  # acknowledged before the disk has it: telemetry only
    about: str


STREAMS: tuple[Stream, ...] = (
    Stream(name="RAW", subjects=("raw.>",), about="message bytes in chunks"),
    Stream(
        name="RECEIVED",
        subjects=("mail.received.>",),
        about="mail taken from a source",
    ),
    Stream(name="ROUTED", subjects=("mail.routed.>",), max_age=400 * DAY, about="what was decided"),
    Stream(
        name="SEND",
        subjects=("mail.send.>", "mail.fanout.>", "mail.retry.>"),
        schedules=True,
        about="copies to send, fan-out progress, scheduled retries",
    ),
    Stream(name="DELIVERY", subjects=("delivery.>",), max_age=90 * DAY, about="the ledger"),
    Stream(name="MEMBERSHIP", subjects=("membership.>",), about="who joined and left"),
    Stream(name="LISTS", subjects=("lists.>",), about="lists and their settings"),
    Stream(name="PEOPLE", subjects=("people.>",), about="addresses, until erased"),
    Stream(
        name="PENDING",
        subjects=("pending.>",),
        max_age=14 * DAY,
        per_subject=16,  # more than in an hour: what this drops can be overwritten no more
        about="answers waited for, how often whom was written to, what owners were told",
    ),
    Stream(
        name="SEEN",
        subjects=("seen.>",),
        max_age=30 * DAY,
        per_subject=1,
        about="what authors have posted lately, to tell who repeats",
    ),
    Stream(
        name="THREADS",
        subjects=("threads.>",),
        max_age=400 * DAY,
        per_subject=1,
        about="what lists have posted, by Message-ID: to tell second copies and answers",
    ),
    Stream(
        name="DEADLETTER",
        subjects=(
            "deadletter.>",
            "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
            "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
        ),
        about="what nobody could process",
    ),
    Stream(
        name="SPANS", subjects=("spans.>",), max_age=7 * DAY, relaxed=True, about="finished spans"
    ),
    Stream(
        name="KV_CHECKPOINTS",
        subjects=("$KV.CHECKPOINTS.>",),
        per_subject=1,
        about="where each source stands, and the janitor (a NATS KV bucket)",
    ),
)


_FIRST_TOKENS = {
    "raw": "RAW",
    "mail.received": "RECEIVED",
    "mail.routed": "ROUTED",
    "mail.send": "SEND",
    "mail.fanout": "SEND",
    "mail.retry": "SEND",
    "delivery": "DELIVERY",
    "membership": "MEMBERSHIP",
    "lists": "LISTS",
    "people": "PEOPLE",
    "pending": "PENDING",
    "seen": "SEEN",
    "threads": "THREADS",
    "deadletter": "DEADLETTER",
    "spans": "SPANS",
    "$KV.CHECKPOINTS": "KV_CHECKPOINTS",
}


def is_whole(stream: str, subject_filter: str) -> bool:
    """Whether all subjects of a stream lie under this filter."""
    return any(each.name == stream and each.subjects == (subject_filter,) for each in STREAMS)


def stream_of(subject: str) -> str:
    """The stream that stores a subject. Raises KeyError for one that is not ours."""
    first, _, rest = subject.partition(".")
    return _FIRST_TOKENS.get(first) or _FIRST_TOKENS[f"{first}.{rest.partition('.')[0]}"]


class Durable(msgspec.Struct, frozen=True, kw_only=True):
    """One durable pull consumer."""

    name: str
    stream: str
    filters: tuple[str, ...]
    about: str


ROUTER = Durable(
    name="router", stream="RECEIVED", filters=("mail.received.>",), about="decides on mail"
)
FANOUT = Durable(
    name="fanout",
    stream="ROUTED",
    filters=("mail.routed.post.>", "mail.routed.owner.>"),
    about="turns posts into chunks",
)
ACCEPTED = Durable(
    name="accepted",
    stream="ROUTED",
    filters=("mail.routed.accepted.>",),
    about="makes posts of held mail that was accepted",
)
ANSWERS = Durable(
    name="answers",
    stream="ROUTED",
    filters=(
        "mail.routed.command.>",
        "mail.routed.held.>",
        "mail.routed.accepted.>",
        "mail.routed.rejected.>",
    ),
    about="obeys commands by mail, tells authors and moderators what became of a post",
)
BOUNCES = Durable(
    name="bounces",
    stream="ROUTED",
    filters=("mail.routed.bounce.>",),
    about="counts bounces, stops delivery to who has too many",
)
SENDER_NOW = Durable(
    name="sender-now", stream="SEND", filters=("mail.send.now.>",), about="small posts, notices"
)
SENDER_BULK = Durable(
    name="sender-bulk", stream="SEND", filters=("mail.send.bulk.>",), about="large fan-outs"
)
DURABLES: tuple[Durable, ...] = (
    ROUTER,
    ACCEPTED,
    FANOUT,
    ANSWERS,
    BOUNCES,
    SENDER_NOW,
    SENDER_BULK,
)

# Through these each service hears that parked messages of its durables are to be handled again.
AGAIN: tuple[Durable, ...] = tuple(
    Durable(
        name=f"{service}-again",
        stream="DEADLETTER",
        filters=tuple(f"deadletter.{durable.name}.>" for durable in durables),
        about=f"what was parked and goes to the {service} again",
    )
    for service, durables in (
        ("router", (ROUTER, ACCEPTED)),
        ("membership", (FANOUT, ANSWERS, BOUNCES)),
        ("sender", (SENDER_NOW, SENDER_BULK)),
    )
)


def again(durable: str) -> Durable:
    """Through which a service hears that what this durable parked goes to it again. Raises
    KeyError where it is none of ours."""
    heard = f"deadletter.{durable}.>"
    for each in AGAIN:
        if heard in each.filters:
            return each
    raise KeyError(durable)


# Who may publish what; deploy/nats mirrors this as permissions.
PRODUCERS: dict[str, tuple[str, ...]] = {
    "ingest": ("raw.>", "mail.received.>", "$KV.CHECKPOINTS.>", "spans.>", "deadletter.>"),
    "router": ("raw.>", "mail.routed.>", "seen.>", "threads.>", "spans.>", "deadletter.>"),
    "membership": (
        "raw.>",
        "mail.send.>",
        "mail.fanout.>",
        "mail.routed.done.>",
        "mail.routed.accepted.>",
        "mail.routed.rejected.>",
        "mail.routed.discarded.>",
        "membership.>",
        "lists.>",
        "people.>",
        "pending.>",
        "$KV.CHECKPOINTS.site.>",
        "spans.>",
        "deadletter.>",
    ),
    "sender": ("delivery.>", "mail.retry.>", "mail.send.>", "spans.>", "deadletter.>"),
    "web": ("spans.>",),
    "projector": ("spans.>",),
    "janitor": ("$KV.CHECKPOINTS.janitor.>", "spans.>"),
    "monitor": ("spans.>",),
}

Kind = Literal[
    "post",
    "command",
    "bounce",
    "held",
    "accepted",
    "rejected",
    "discarded",
    "owner",
    "done",
    "unrouted",
]
NO_LIST = "none"  # stands for the list in `mail.routed.unrouted.none.<mail_id>`; no slug is "none"


def raw(mail_id: str, part: int, index: int) -> str:
    """Subject of one chunk of bytes."""
    return f"raw.{mail_id}.{part}.{index}"


def received(source: str, mail_id: str) -> str:
    """Subject of a mail taken from a source."""
    return f"mail.received.{source}.{mail_id}"


def routed(kind: Kind, list_: str, mail_id: str) -> str:
    """Subject of a decision."""
    return f"mail.routed.{kind}.{list_}.{mail_id}"


def decided(list_: str, mail_id: str) -> str:
    """Filter over every decision on one mail and list: at most one, plus its `done`; of a held mail
    the verdict stands behind it, and behind an `accepted` the post. Each expects the one before."""
    return f"mail.routed.*.{list_}.{mail_id}"


def send(lane: Literal["now", "bulk"], list_: str, mail_id: str, chunk: str) -> str:
    """Subject of a chunk to send."""
    return f"mail.send.{lane}.{list_}.{mail_id}.{chunk}"


def send_any_lane(list_: str, mail_id: str, chunk: str) -> str:
    """Filter over a chunk in either lane: it is queued in one at most."""
    return f"mail.send.*.{list_}.{mail_id}.{chunk}"


def fanout(list_: str, mail_id: str) -> str:
    """Subject of the progress of a fan-out."""
    return f"mail.fanout.{list_}.{mail_id}"


def retry(list_: str, mail_id: str, chunk: str) -> str:
    """Subject of a chunk that is scheduled: a retry, which ends in r<n>, or one that waits."""
    return f"mail.retry.{list_}.{mail_id}.{chunk}"


def delivery(list_: str, mail_id: str, chunk: str) -> str:
    """Subject of a chunk's ledger."""
    return f"delivery.{list_}.{mail_id}.{chunk}"


def membership(list_: str, person: str) -> str:
    """Subject of one person's life on one list."""
    return f"membership.{list_}.{person}"


def lists(list_: str) -> str:
    """Subject of one list."""
    return f"lists.{list_}"


def people(key: str) -> str:
    """Subject of one address; `key` is its HMAC in hex."""
    return f"people.{key}"


def confirmation(key: str) -> str:
    """Subject of a confirmation or verdict waited for; `key` is the MAC of its token in hex."""
    return f"pending.confirmation.{key}"


def contact(key: str) -> str:
    """Subject of how often an address was written to; `key` is its HMAC in hex."""
    return f"pending.contact.{key}"


def failures_told() -> str:
    """Subject of how far the owners of lists were told of final failures."""
    return "pending.failures"


def bounces_read() -> str:
    """Subject of how far refusals in the ledger are counted."""
    return "pending.bounces"


def removal(list_: str, person: str) -> str:
    """Subject of a removal for bounces that is on its way."""
    return f"pending.removal.{list_}.{person}"


def held_told(list_: str) -> str:
    """Subject of how far the owners of a list were told of held mail."""
    return f"pending.held.{list_}"


def request(list_: str, request_id: str) -> str:
    """Subject of somebody's request to the owners of a list; the id is of 16 hex digits."""
    return f"pending.request.{list_}.{request_id}"


def recent(list_: str, who: str) -> str:
    """Subject of the latest posts of one author to a list; `who` is in hex."""
    return f"seen.{list_}.recent.{who}"


def thread(list_: str, digest: str) -> str:
    """Subject of a Message-ID that a list has met; `digest` is in hex."""
    return f"threads.{list_}.{digest}"


def deadletter(durable: str, stream: str, seq: int) -> str:
    """Subject of a parked message."""
    return f"deadletter.{durable}.{stream}.{seq}"


def spans(trace_id: str) -> str:
    """Subject of a trace's spans: one of 16 shards, so that a flush is few messages."""
    return f"spans.{trace_id[-1]}"


def checkpoint(source: str) -> str:
    """Subject of a source's checkpoint in the KV bucket CHECKPOINTS."""
    return f"$KV.CHECKPOINTS.{source}"


def janitor_marks() -> str:
    """Subject of what the janitor knows of time in that bucket; no source has a dot in its name."""
    return "$KV.CHECKPOINTS.janitor.marks"


def pause() -> str:
    """Subject of why ingest and sender stand still behind a restore, in that bucket."""
    return "$KV.CHECKPOINTS.restore.pause"


def site_key() -> str:
    """Subject of the mark of the site key, in that bucket."""
    return "$KV.CHECKPOINTS.site.key"


def command(name: str) -> str:
    """NATS micro endpoint of a membership command."""
    return f"postroad.membership.{name}"


def projector(name: str) -> str:
    """NATS micro endpoint of a question to the projector."""
    return f"postroad.projector.{name}"
