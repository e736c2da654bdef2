"""Requests to membership over NATS micro (`postroad.membership.<command>`) and their answers.

Never stored, so they may change with a release; requests hold addresses, subjects never do.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.approvals import RequestRow, RequestWord
from schemas.bounces import BounceRow
from schemas.erasure import Erased
from schemas.histories import HistoryRow, Person, Whose
from schemas.letters import LetterRow, LetterShown
from schemas.lists import ListSettings
from schemas.membership import DeliveryMode, DeliveryStatus, Moderation, Role
from schemas.road import AsOf, RuleHit, Wish

Code = Literal[
    "",
    "unknown_list",
    "list_exists",
    "bad_address",
    "bad_setting",
    "unknown_member",
    "unknown_post",
    "unknown_request",
    "not_held",
    "decided",
    "stopped",
    "closed",
    "banned",
    "changed",
    "taken",
    "password",
    "bad_request",
    "limited",
    "unavailable",
    "bug",
]


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Base of requests and answers."""


class Change(Command, kw_only=True):
    """Base of requests that change a list or who is on it. `by` is the login name of whoever
    typed the command."""

    by: str = ""


class WhoIs(Command, kw_only=True):
    """Who is this author on this list? Endpoint `whois`. `recipients` are those whom a post of
    theirs names in To and Cc."""

    list: str
    address: str  # normalised
    recipients: tuple[str, ...] = ()  # normalised


class Author(Command, kw_only=True):
    """Answer to WhoIs. `person` is empty where the address is unknown. `named` are the entries of
    the list's `bans` and `*_these_nonmembers` that mean the author, as far as a key or the members
    of another list say so. `without` is `PostRouted.without` of that post."""

    person: str = ""
    roles: tuple[Role, ...] = ()
    moderation: Moderation = ""
    named: tuple[str, ...] = ()
    without: dict[str, Wish] = {}
    as_of: AsOf = AsOf()


class CreateList(Change, kw_only=True):
    """Endpoint `list_create`. `settings` as typed: name to text."""

    address: str
    settings: dict[str, str] = {}


class ConfigureList(Change, kw_only=True):
    """Endpoint `list_set`."""

    list: str  # address or slug
    settings: dict[str, str]


class CloseList(Change, kw_only=True):
    """Endpoint `list_close`: no more mail; history and members stay as they are."""

    list: str  # address or slug
    reason: str = ""


class ShowList(Command, kw_only=True):
    """Endpoint `list_show`: answers one row in `lists`."""

    list: str  # address or slug


class ListLists(Command, kw_only=True):
    """Endpoint `list_ls`: at most `limit` lists in order of address, after `after`."""

    after: str = ""
    limit: int = 500


class ListRow(Command, kw_only=True):
    """One list as `list ls` and `list show` show it."""

    address: str
    slug: str
    settings: ListSettings
    members: int = 0
    owners: int = 0
    moderators: int = 0
    since: str = ""  # RFC 3339, when it was created
    closed: bool = False


class Subscribe(Change, kw_only=True):
    """Endpoint `subscribe`: add a role (and with it the person) to a list. Not `confirmed`, they
    are asked by mail first; with `welcome` they are told."""

    list: str
    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    how: str = "command line"
    confirmed: bool = True
    welcome: bool = False


class Unsubscribe(Change, kw_only=True):
    """Endpoint `unsubscribe`: remove a role."""

    list: str
    address: str
    role: Role = "member"
    how: str = "command line"
    reason: str = ""


class ChangeMember(Change, kw_only=True):
    """Endpoint `member_set`."""

    list: str
    address: str
    delivery_mode: DeliveryMode | None = None
    delivery_status: DeliveryStatus | None = None
    moderation_action: Moderation | None = None
    receive_own_postings: bool | None = None
    receive_list_copy: bool | None = None
    preferred_language: str | None = None
    how: str = "command line"
    reason: str = ""


class UndoRow(Command, kw_only=True):
    """Somebody who is put back (`added`, `removed`, `changed`), or is left alone, and why."""

    address: str
    what: str


class RosterPage(Command, kw_only=True):
    """Endpoint `roster`: holders of a role in order of address, at most `limit` after `after`."""

    list: str
    role: Role = "member"
    after: str = ""
    limit: int = 1000


class RosterRow(Command, kw_only=True):
    """One member as `member ls` shows it. `also` are other addresses that they write from."""

    address: str
    also: tuple[str, ...] = ()
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    delivery_status: DeliveryStatus = "enabled"
    moderation_action: Moderation = ""
    receive_own_postings: bool = True
    receive_list_copy: bool = True
    preferred_language: str = ""
    since: str = ""  # RFC 3339, when they came onto the list


class EraseMember(Change, kw_only=True):
    """Endpoint `member_erase`: forget a person and all their addresses. Without `stream` that is
    their roles on every list, who they are, and the questions that they were asked. With it, what
    that stream holds behind the sequence `after`, as far as some seconds reach: ask again from
    `Erased.after`, until that is 0. A `dry` one only counts."""

    address: str
    stream: Literal["", "SEND", "DEADLETTER"] = ""
    after: int = 0
    dry: bool = False


class PastPage(Command, kw_only=True):
    """Endpoint `roster_past`: who had a role at an earlier moment, in order of person: at most
    `limit` after the person `after`, and no more than an answer can hold. The moment is what was
    stored before the time `at` (RFC 3339), or up to the sequence `as_of` of MEMBERSHIP; the answer
    names that sequence, and on the first page how many they were in all."""

    list: str
    role: Role = "member"
    at: str = ""
    as_of: int | None = None
    after: str = ""
    limit: int = 5000


class PastRow(Command, kw_only=True):
    """One of them: how they stood then, under the address and name of today; without address where
    they were erased since."""

    person: str
    row: RosterRow


class MemberHistory(Command, kw_only=True):
    """Endpoint `member_history`: what happened to one person on one list, the oldest first: what an
    answer can hold, after the first `after` events."""

    list: str  # address or slug
    address: str
    after: int = 0


class ListHistory(Command, kw_only=True):
    """Endpoint `list_history`: what happened to a list and its settings, the oldest first: what an
    answer can hold, after the first `after` events."""

    list: str  # address or slug
    after: int = 0


class PersonConsent(Command, kw_only=True):
    """Endpoint `consent`: how somebody came to be known, and onto each list that they ever had a
    role on: as many as an answer can hold, after the first `after`."""

    address: str
    after: int = 0


class MemberBounces(Command, kw_only=True):
    """Endpoint `member_bounces`: who has a score or is stopped, with their last bounce, the highest
    score first; with `address` every bounce of theirs, the newest first. At most 200."""

    list: str  # address or slug
    address: str = ""


class RetryFailed(Command, kw_only=True):
    """Endpoint `retry`: whose copies of this post have finally failed, on every list that it went
    to; with `go` they are queued once more. `domain` leaves out who is elsewhere."""

    mail_id: str
    domain: str = ""
    go: bool = False


class FailedCopies(Command, kw_only=True):
    """The failed copies of a post on one list. Of those, `waiting` are being tried again already,
    `gone` get no mail of the list any more, or were sent it too long ago to be found. `ready` can
    be tried again, `reasons` say why they failed and how many; `queued` were queued now. `domains`
    are those of all who failed, as far as they can be found, with how many; the most first."""

    list: str  # address
    failed: int
    waiting: int = 0
    gone: int = 0
    ready: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    queued: int = 0
    domains: tuple[tuple[str, int], ...] = ()


class ListHeld(Command, kw_only=True):
    """Endpoint `held_ls`: the mail that waits for a verdict, the oldest first: at most `limit`,
    after the sequence `after`."""

    list: str = ""  # address or slug; empty for all lists
    after: int = 0
    limit: int = 200


class ShowHeld(Command, kw_only=True):
    """Endpoint `held_show`: a mail on each list that held it, whatever became of it."""

    mail_id: str
    list: str = ""  # address or slug; empty for all lists


class DecideHeld(Change, kw_only=True):
    """Endpoint `held_decide`: a verdict on a mail that waits. `list` may be empty where it waits
    on one. With `always` its author is accepted from now on."""

    mail_id: str
    list: str = ""  # address or slug
    verdict: Literal["accept", "reject", "discard"]
    reason: str = ""
    always: bool = False


class HeldRow(Command, kw_only=True):
    """A held mail. Times are RFC 3339; `size` in octets; `hits` are why it was held; `text` is how
    it begins, where it was asked for. `decided` says in words what became of it, empty while it
    waits; `expires` is when it may be discarded because nobody decided. `untold` is why its author
    is told of no verdict, empty where they are."""

    id: str
    list: str  # address
    seq: int
    since: str
    author: str = ""
    name: str = ""
    subject: str = ""
    message_id: str = ""
    size: int = 0
    hits: tuple[RuleHit, ...] = ()
    text: str = ""
    expires: str = ""
    verdict: str = ""
    decided: str = ""
    untold: str = ""


class ListRequests(Command, kw_only=True):
    """Endpoint `request_ls`: who waits for owners, the oldest first; at most 500."""

    list: str = ""  # address or slug; empty for all lists


class DecideRequest(Change, kw_only=True):
    """Endpoint `request_decide`: a verdict on a request, by its id or the first digits of it."""

    request: str
    word: RequestWord
    reason: str = ""


class Answer(Command, kw_only=True):
    """The answer to every other command. `changed` counts what is new; 0 means it was so already.

    `refused` is empty on success; else one line saying what is wrong and how to mend it.
    `code` tells callers the family. `as_of` is a roster that has seen the change.
    """

    changed: int = 0
    asked: bool = False  # by mail; nothing has changed yet
    refused: str = ""
    code: Code = ""
    bad_rows: tuple[tuple[int, str], ...] = ()  # (line, reason)
    away_rows: tuple[tuple[int, str], ...] = ()  # of who left, and is not put back
    rows: tuple[RosterRow, ...] = ()
    lists: tuple[ListRow, ...] = ()
    failed: tuple[FailedCopies, ...] = ()
    held: tuple[HeldRow, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    past: tuple[PastRow, ...] = ()
    undone: tuple[UndoRow, ...] = ()
    left: tuple[UndoRow, ...] = ()
    after: int = 0  # go on from here; 0 where there is no more
    total: int = 0
    history: tuple[HistoryRow, ...] = ()
    bounces: tuple[BounceRow, ...] = ()
    letters: tuple[LetterRow, ...] = ()
    letter: LetterShown | None = None
    person: Person | None = None
    whose: Whose | None = None
    where: dict[str, str] = {}  # by person: the address where copies go
    erased: bool = False  # whom a history is about
    erasure: Erased | None = None
    as_of: AsOf = AsOf()
