"""Events of the road: mail.received, mail.routed, mail.send, delivery, deadletter.

These names are the storage format and are permanent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import field

from schemas.envelope import Event
from schemas.mail import Data, HeaderEdit, HeaderFacts, Insertion, RawRef, Returned

# --- mail.received.<source>.<mail_id> ------------------------------------------------------


class Origin(Data, kw_only=True):
    """Where a mail was found. `arrived` is the server's own date (IMAP INTERNALDATE, or that of
    the topmost Received); `name` is what it is called there: the UIDL of POP3, the file of a
    Maildir."""

    source: str
    folder: str = ""
    uidvalidity: int = 0
    uid: int = 0
    arrived: datetime | None = None
    name: str = ""


Opening = Literal["", "approval", "command"]


class MailReceived(Event, tag="mail_received", kw_only=True):
    """A mail is safe in RAW. `envelope_to` is empty where the source knows no envelope.

    `body_sha256` is taken over the body with CRLF line ends, so that it is the same in every
    copy of a mail; `returned` is what a delivery report says of a mail of ours. `opening` says
    that its text begins with a moderator's password, or is a command. `waits` are the seconds from
    its arrival for which whoever brought it waits to be told that it is rejected.
    """

    mail_id: str
    origin: Origin
    raw: RawRef
    facts: HeaderFacts
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    body_sha256: str = ""
    returned: Returned | None = None
    opening: Opening = ""
    waits: int = 0


class MailRefused(Event, tag="mail_refused", kw_only=True):
    """A mail was left on its server: too large, or too old after a UIDVALIDITY change."""

    mail_id: str
    origin: Origin
    size: int
    reason: Literal["too_large", "stale", "unreadable"]
    detail: str = ""


# --- mail.routed.<kind>.<list>.<mail_id> -----------------------------------------------------


class RuleHit(Data, kw_only=True):
    """One rule that hit, and why, in plain words."""

    rule: str
    reason: str


class AsOf(Data, kw_only=True):
    """The stream sequences a roster had folded when it answered."""

    membership: int = 0
    people: int = 0


Wish = Literal["receive_own_postings", "receive_list_copy"]


class PostRouted(Event, tag="post_routed", kw_only=True):
    """A mail is a post to this list: edit these headers, put these lines into its body (the
    list's header and footer), and fan it out. `authserv_id` names the server whose
    Authentication-Results on it are believed, "" where none is. `hits` are of rules that hit and
    let it pass.

    By mail id, other posts of the list: `parent` is what this one answers, `thread` the first of
    its conversation (itself, if it begins one; "" of older releases), `answers` those that
    answered it and came before it, `namesake` an earlier one with the same Message-ID.

    `without`: the persons who get no copy, each with the member option that says so: its author
    who wants none of their own, or somebody whom it names in To or Cc."""

    mail_id: str
    list: str
    raw: RawRef
    edits: tuple[HeaderEdit, ...] = ()
    insertions: tuple[Insertion, ...] = ()
    authserv_id: str = ""
    personal: bool = True
    author: str = ""  # person id, empty where unknown
    as_of: AsOf = AsOf()
    settings: int = 0  # LISTS sequence of the settings that decided
    rule: str = ""  # what accepted it
    subject: str = ""
    message_id: str = ""
    hits: tuple[RuleHit, ...] = ()
    parent: str = ""
    thread: str = ""
    answers: tuple[str, ...] = ()
    namesake: str = ""
    without: dict[str, Wish] = field(default_factory=dict)


class OwnerMailRouted(Event, tag="owner_mail_routed", kw_only=True):
    """A mail to `-owner`: goes unmoderated to owners and moderators; or, where `list` is `none`, to
    the owner of a `domain` (`postmaster@`, or what no list has)."""

    mail_id: str
    list: str
    domain: str = ""
    raw: RawRef
    edits: tuple[HeaderEdit, ...] = ()
    authserv_id: str = ""
    as_of: AsOf = AsOf()
    settings: int = 0
    subject: str = ""
    message_id: str = ""


class CommandRouted(Event, tag="command_routed", kw_only=True):
    """A mail to a command address (`-join`, `-leave`, `-confirm`, `-request`), or, at a list
    without sub-addresses, one whose Subject is a command. `received` is the subject of its
    mail.received, where its headers are. Where only its token tells the list (`none`), `domain` is
    the one that list must be in, "" for any."""

    mail_id: str
    list: str
    domain: str = ""
    command: str
    token: str = ""
    raw: RawRef
    received: str = ""
    settings: int = 0


class BounceRouted(Event, tag="bounce_routed", kw_only=True):
    """A mail to the bounce address of a list, or a delivery report on a mail of ours wherever
    it came in. `about` is the mail id of the post it answers, empty where it does not tell;
    `number` the recipient's number within that post, from a token that proves it (else -1)."""

    mail_id: str
    list: str
    token: str = ""
    raw: RawRef
    about: str = ""
    number: int = -1
    settings: int = 0


class MailStopped(Event, tag="mail_stopped", kw_only=True):
    """A mail was held, rejected or discarded; the subject's kind says which. What ends the waiting
    of a held mail names the sequence of the event that `held` it (else 0): its first hit is then
    `moderator`, with what they wrote, or `expired`, and the envelope's actor says who decided. With
    `password` its text may tell a moderator's password, and it cannot be taken off."""

    mail_id: str
    list: str
    verdict: Literal["held", "rejected", "discarded"]
    hits: tuple[RuleHit, ...]
    raw: RawRef
    author: str = ""
    settings: int = 0
    subject: str = ""
    message_id: str = ""
    held: int = 0
    password: bool = False


class HeldAccepted(Event, tag="held_accepted", kw_only=True):
    """Somebody let a held mail through, or one that rules stopped or that did not reach the list;
    who, says the envelope's actor. `held` is the sequence of the event that held or stopped it, 0
    where there is none. The router then makes the post, for those who are members `as_of` this
    verdict; `settings` are those the verdict was given under. `always`: mail of its author is to
    be accepted from now on."""

    mail_id: str
    list: str
    held: int
    raw: RawRef
    as_of: AsOf = AsOf()
    settings: int = 0
    always: bool = False


class MailUnrouted(Event, tag="mail_unrouted", kw_only=True):
    """A mail is for none of our lists; it stays visible (`postroad post ls --unrouted`)."""

    mail_id: str
    raw: RawRef
    reason: str
    subject: str = ""
    message_id: str = ""


class CommandDone(Event, tag="command_done", kw_only=True):
    """A command by mail is dealt with: the lasting key of it, in the place of a fan-out's.

    `outcome` is one word (joined, left, waiting, confirmation_sent, answered, refused, ignored,
    limited); `reason` says why, in plain words without an address. `notice` is the id of the mail
    that went out in answer, empty where none did.
    """

    mail_id: str
    list: str
    command: str
    outcome: str
    reason: str = ""
    person: str = ""
    notice: str = ""


class ProbeQueued(Event, tag="probe_queued", kw_only=True):
    """A letter that may come back goes to this member: the key of it, in a fan-out's place."""

    person: str


class FanoutDone(Event, tag="fanout_done", kw_only=True):
    """Every chunk of a post is queued. The lasting key of a fan-out: outlives the chunks."""

    mail_id: str
    list: str
    audience: int
    chunks: int
    as_of: AsOf = AsOf()


# --- mail.send.<now|bulk>.<list>.<mail_id>.<chunk> ------------------------------------------


class Copy(Data, kw_only=True):
    """How each copy of a post looks; the same for every chunk of it.

    `bounces` and `leave` are local part and domain around a token: `bounces = ("team-bounces+",
    "@example.org")` gives `team-bounces+TOKEN@example.org`. `post` is the number in VERP
    tokens: the ROUTED sequence (48 bits). Where `bounces` is `("", "")` the sender is null
    (`MAIL FROM:<>`), as notices have it. `list_name` is the list's display name, for a From that
    a relay makes us write anew; `notice` marks a mail that Postroad wrote itself. Only what goes
    `to_members` is withheld from who is none any more: owners, and others whom the settings name,
    need not be. `authserv_id` is that of `PostRouted`.
    """

    raw: RawRef
    edits: tuple[HeaderEdit, ...] = ()
    insertions: tuple[Insertion, ...] = ()
    authserv_id: str = ""
    personal: bool = True
    list: str
    list_address: str
    list_name: str = ""
    notice: bool = False
    to_members: bool = True
    bounces: tuple[str, str]
    leave: tuple[str, str] = ("", "")
    unsubscribe_url: str = ""  # prefix of the https link, empty where [web] is off
    post: int


class ChunkQueued(Event, tag="chunk_queued", kw_only=True):
    """Send this copy to these people. `people[i]` is reached at `addresses[i]`.

    `numbers[i]` is the recipient number within the post (32 bits); where `numbers` is empty it
    is `first + i`. `attempt` counts retries; `since` is when the first attempt was queued. `as_of`
    is the MEMBERSHIP sequence at which its audience was fixed, 0 where that is not known.
    """

    mail_id: str
    list: str
    chunk: str
    first: int = 0
    people: tuple[str, ...]
    addresses: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    last: bool = False
    attempt: int = 0
    since: datetime | None = None
    as_of: int = 0
    copy: Copy


class FanoutProgressed(Event, tag="fanout_progressed", kw_only=True):
    """Chunks up to (not including) `chunk` are queued; the next starts after `person`."""

    mail_id: str
    list: str
    chunk: int
    count: int
    person: str


# --- delivery.<list>.<mail_id>.<chunk> --------------------------------------------------------


class Failure(Data, kw_only=True):
    """Why one recipient, by the index in the chunk, has no copy. No address in `text`.

    What a relay said, or why it was not asked: who `left` is no longer on the list; with the
    scope `destination` the recipient's domain has to wait. Only who `failed` with the scope
    `recipient` can have it counted against them.
    """

    index: int
    code: int  # SMTP code; 0 where there was none
    enhanced: str = ""
    text: str = ""
    kind: Literal["deferred", "failed", "left"]
    scope: Literal["recipient", "message", "relay", "destination"] = "recipient"


class Outcome(Data, kw_only=True):
    """What became of a window [start, end): all accepted, but for `failures`. Of a
    `possible_duplicate`, `doubtful` are those who may have had a copy before, by index in the
    chunk; none are named where an older release wrote it, and then all of the window may.
    """

    start: int
    end: int
    code: int = 250
    text: str = ""
    failures: tuple[Failure, ...] = ()
    possible_duplicate: bool = False
    doubtful: tuple[int, ...] = ()
    ms: int = 0


class Intent(Data, kw_only=True):
    """A window [start, end) about to be sent: written, and acknowledged, before its DATA.

    All of it may have gone out when the next entry is written, but those who by then cannot
    have a copy of it: `without` are not offered any, `sent` had theirs before; those in `twice`
    may have had two.
    """

    start: int
    end: int
    people: tuple[str, ...]
    without: tuple[int, ...] = ()
    sent: tuple[int, ...] = ()
    twice: tuple[int, ...] = ()


class WindowRecorded(Event, tag="window_recorded", kw_only=True):
    """One ledger entry: the outcome of the window before, and the intent of the next.

    `finished` closes the chunk for good. `deferred` are all indices still owed a retry, so a
    successor needs only the last entry. A chunk of one window has only an outcome, and names
    its people there. `split` ends a chunk that was not sent itself: all its people are in the
    chunks `<chunk>s0`, `<chunk>s1`, ... `destination` names the limits that the chunk came under.
    `late` are people who were deferred in earlier windows, because nobody answered in time, and
    turned out to have their copy; `cleared` those who were doubtful there for that reason alone,
    and had one copy at most.
    """

    mail_id: str
    list: str
    chunk: str
    outcome: Outcome | None = None
    intent: Intent | None = None
    people: tuple[str, ...] = ()
    relay: str = ""
    destination: str = ""
    worker: str = ""
    deferred: tuple[int, ...] = ()
    late: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    finished: bool = False
    split: bool = False


# --- deadletter.> ------------------------------------------------------------------------------


class Parked(Event, tag="parked", kw_only=True):
    """A message nobody could process, kept with its bytes and the way back."""

    stream: str
    seq: int
    subject: str
    durable: str
    reason: str
    family: Literal["reject", "bug"]
    trace: str = ""
    attempts: int = 0
    data: bytes = b""
