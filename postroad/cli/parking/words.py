"""What a parked message is, in plain words, and whether it can be handled again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from postroad.cli.output import counted, short
from postroad.cli.streams.naming import parts
from postroad.runtime.parked import PARK_KEEPS
from projections.masking import masked
from schemas import codec, subjects
from schemas.parking import ParkedResolved
from schemas.road import ChunkQueued, Parked

_KINDS = {
    "post": "post",
    "owner": "mail to the owners",
    "command": "command by mail",
    "bounce": "bounce",
    "held": "held mail",
    "accepted": "accepted mail",
    "rejected": "rejected mail",
}


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A parked message, and what became of it. `seq` and `id` are of what says that it is parked,
    `before` those it was parked under before, `last` the last sequence of its subject; `parked` is
    None for what is none of this release."""

    seq: int
    id: str
    subject: str
    at: datetime
    last: int
    before: tuple[tuple[int, str], ...] = ()
    parked: Parked | None = None
    resolved: ParkedResolved | None = None
    resolved_at: datetime | None = None
    by: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The same for programs, without its bytes and whom it names."""

    seq: int
    id: str
    at: datetime
    stage: str
    consumer: str
    stream: str
    message: int
    subject: str
    list: str
    mail: str
    what: str
    family: str
    reason: str
    attempts: int
    octets: int
    resolved: str
    resolved_at: datetime | None
    resolved_by: str
    resolved_why: str


def row(letter: Letter, lists: Mapping[str, str]) -> Row:
    """One parked message; `lists` are addresses by slug."""
    parked, resolved = letter.parked, letter.resolved
    _, list_, mail = parts(parked.subject if parked else "")
    return Row(
        seq=letter.seq,
        id=letter.id,
        at=letter.at,
        stage=stage(letter),
        consumer=consumer(letter),
        stream=parked.stream if parked else "",
        message=parked.seq if parked else 0,
        subject=parked.subject if parked else letter.subject,
        list=lists.get(list_, list_),
        mail=mail,
        what=what(letter, lists),
        family=parked.family if parked else "",
        reason=why(letter),
        attempts=parked.attempts if parked else 0,
        octets=len(parked.data) if parked else 0,
        resolved=resolved.how if resolved else "",
        resolved_at=letter.resolved_at,
        resolved_by=letter.by,
        resolved_why=resolved.reason if resolved else "",
    )


def consumer(letter: Letter) -> str:
    """The durable that could not process it."""
    words = letter.subject.split(".")
    return letter.parked.durable if letter.parked else words[1] if len(words) > 1 else ""


def stage(letter: Letter) -> str:
    """The service that could not process it; empty for none of ours."""
    try:
        return subjects.again(consumer(letter)).name.removesuffix("-again")
    except KeyError:
        return ""


def what(letter: Letter, lists: Mapping[str, str]) -> str:
    """It, in a few words: of which list and mail."""
    parked = letter.parked
    if parked is None:
        return "something that this release does not know"
    kind, list_, mail = parts(parked.subject)
    words = parked.subject.split(".")
    at = "" if list_ in ("", subjects.NO_LIST) else f" at {lists.get(list_, list_)}"
    short = _short(mail)
    match words[:2]:
        case ["mail", "received"]:
            return f"mail {short} from source {words[2]}"
        case ["mail", "routed"]:
            return f"{_KINDS.get(kind, kind)} {short}{at}"
        case ["mail", "send"]:
            return f"{_copies(parked)} of {short}{at} (chunk {words[-1]})"
        case _:
            return f"{parked.stream} {parked.seq}"


def why(letter: Letter) -> str:
    """Why it was parked: the reason, or for a bug its place in the code."""
    parked = letter.parked
    if parked is None:
        return ""
    reason = masked(" ".join(parked.reason.split()))
    frames = [line.strip() for line in parked.trace.splitlines() if line.startswith("  File ")]
    if parked.family != "bug" or not frames:
        return reason
    _, _, place = frames[-1].partition('"')
    file, _, rest = place.partition('"')
    line = rest.strip(", ").removeprefix("line ").split(",")[0]
    return f"{reason} in {'/'.join(file.split('/')[-3:])}:{line}"


def trace(parked: Parked) -> str:
    """Its traceback, without addresses: the texts of exceptions may hold some."""
    return "\n".join(masked(line) for line in parked.trace.splitlines())


def hopeless(letter: Letter, *, lying: bytes | None, mail_there: bool) -> str:
    """Why it cannot be handled again; empty where it can. `lying` is what its stream has of it,
    None where it is deleted there; `mail_there` whether the mail it is of is still in RAW."""
    parked = letter.parked
    if parked is None:
        return "this release does not know what it is; upgrade first"
    if not stage(letter):
        return f"no service takes what {parked.durable!r} parks"
    if lying is None and len(parked.data) >= PARK_KEEPS:
        return "it is deleted from its stream, and too large to be kept whole here"
    if not mail_there:
        return "the mail it is of is deleted"
    try:
        codec.decode(parked.data if lying is None else lying)
    except codec.UnknownEvent as unknown:
        told = "is of a newer release" if "is not known here" in str(unknown) else "is no event"
        return f"it {told}, so that it would be parked again"
    return ""


def mail_of(data: bytes) -> tuple[str, int]:
    """Id and part of the bytes in RAW that an event goes by; empty where it has none."""
    try:
        events = codec.decode(data).events
    except codec.UnknownEvent:
        return "", 0
    for event in events:
        holder = event.copy if isinstance(event, ChunkQueued) else event
        raw = getattr(holder, "raw", None)
        if raw is not None:
            return raw.mail_id, raw.part
    return "", 0


def _copies(parked: Parked) -> str:
    try:
        events = codec.decode(parked.data).events
    except codec.UnknownEvent:
        return "copies"
    count = sum(len(event.people) for event in events if isinstance(event, ChunkQueued))
    return counted(count, "copy", "copies")


def _short(mail: str) -> str:
    base, dash, number = mail.partition("-")
    return short(base) + dash + number
