"""Events of PENDING: confirmations waited for, verdicts that moderators were asked for, how often
whom was written to, and what owners were told of failures and of held mail.

Each message says all there is to say of its subject; the last one counts. Addresses stand here for
14 days at most; nobody is in PEOPLE before they agreed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.envelope import Event
from schemas.mail import Data
from schemas.membership import Consent, DeliveryMode, Role

Action = Literal[
    "join",
    "leave",
    "mail_on",
    "mail_off",
    "own_on",
    "own_off",
    "copies_on",
    "copies_off",
    "language",  # letters to somebody shall be in the language `other`
    "move_away",  # somebody's mail shall go to the address `other`; who is asked is they
    "move",  # the mail of `person` shall come here, and not to the address with the key `other`
    "add_away",  # somebody shall have the address `other` besides; who is asked is they
    "add",  # this address shall be another of `person`, who has the one with the key `other`
    "drop",  # the address `other` shall be somebody's no more; who is asked is they
]


class ConfirmationAsked(Event, tag="confirmation_asked", kw_only=True):
    """Somebody is to confirm `action`, by the token whose MAC names the subject. `cause` is the
    mail id or command id that asked; `role` and `delivery_mode` are what a join is for, `invited`
    whether those who run the list want it. `person` and `other` say more of some actions."""

    list: str
    action: Action
    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    cause: str
    expires: datetime
    text: str = ""  # as in `Consent`
    invited: bool = False
    person: str = ""
    other: str = ""


class ConfirmationUsed(Event, tag="confirmation_used", kw_only=True):
    """The token has done its work. `by` is the mail id of the answer; stands after the
    confirmation it ends, in one message with it."""

    by: str


class ConfirmationWithdrawn(Event, tag="confirmation_withdrawn", kw_only=True):
    """The token will do nothing: whoever was asked said no in the mail `by`, or another question
    of the same list went to them because of it. Stands after the confirmation it ends, in one
    message with it; alone where there is none yet."""

    by: str


class Contact(Data, kw_only=True):
    """One mail that an address was sent because of `cause` (a mail id or command id). Of a
    confirmation: what it asks (`list`, `action`, and a MAC of what that is `about`, such as another
    address), the MAC that names its subject (`question`), whether it still waits (`open`), and
    whether it was answered by yes. `proved`: the address itself caused it."""

    kind: Literal["confirmation", "answer"]
    list: str = ""
    action: Action | Literal[""] = ""
    about: str = ""
    question: str = ""
    cause: str
    at: datetime
    open: bool = False
    answered: bool = False
    proved: bool = False


class Contacted(Event, tag="contacted", kw_only=True):
    """Every mail that still counts against the limits of one address, oldest first."""

    contacts: tuple[Contact, ...]


RequestEnd = Literal["accepted", "rejected", "discarded", "expired"]


class RequestMade(Event, tag="request_made", kw_only=True):
    """Somebody waits for the owners of a list to let them `action`. That it is they who want it,
    `evidence` says: in the mail `cause`, proved or confirmed."""

    list: str
    action: Literal["join", "leave"]
    address: str
    display_name: str = ""
    delivery_mode: DeliveryMode = "regular"
    cause: str
    evidence: str = ""
    consent: Consent | None = None
    at: datetime
    expires: datetime


class RequestDecided(Event, tag="request_decided", kw_only=True):
    """How a request ended: because of the mail or command `by`, given by `actor`. Stands after the
    request, in one message with it; again with `done` once it is carried out."""

    end: RequestEnd
    reason: str = ""
    by: str
    actor: str
    at: datetime
    done: bool = False


class FailuresTold(Event, tag="failures_told", kw_only=True):
    """The owners of lists are told who finally failed in the ledger entries behind `after`, up to
    and with `upto` (sequences of DELIVERY). It began `at`; until it is `done`, some may not be
    told yet."""

    after: int
    upto: int
    at: datetime
    done: bool = False


class VerdictAsked(Event, tag="verdict_asked", kw_only=True):
    """A moderator is asked for a verdict on a held mail, by the token whose MAC names the subject,
    which is that of a confirmation: whatever a token is for, it is found in one place. Whether it
    is used up ROUTED knows. An empty `mail_id` stands for a letter that tells of several: a reply
    to it decides nothing. With a `request` it is for a verdict on that, which the mail made."""

    list: str
    mail_id: str
    person: str
    request: str = ""


class HeldMark(Data, kw_only=True):
    """Of all mail held up to and with the sequence `upto` of ROUTED, owners knew `at` a time."""

    upto: int
    at: datetime


class HeldTold(Event, tag="held_told", kw_only=True):
    """The owners of a list were last told of held mail: of all up to and with `upto`, `at` a time.
    `days` are such letters a day apart, oldest first, as far as expiry needs them. Until it is
    `done`, some owners may not be told yet; `after` is how far the letter before went."""

    list: str
    after: int
    upto: int
    at: datetime
    days: tuple[HeldMark, ...] = ()
    done: bool = False


class RemovalDue(Event, tag="removal_due", kw_only=True):
    """Whoever the subject names is to be taken off the list, as of `at`, for bounces; until it is
    `done`, that or the letters about it may be missing."""

    at: datetime
    done: bool = False


class Incident(Data, kw_only=True):
    """A provider (a domain) that takes the mail of a list from so many `people` no more: the first
    time that was seen, and the last."""

    list: str
    domain: str
    people: int
    since: datetime
    last: datetime


class BouncesRead(Event, tag="bounces_read", kw_only=True):
    """Refusals in the ledger are counted up to and with `upto` (a sequence of DELIVERY). What
    `incidents` there are is known to the next instance by it."""

    upto: int
    incidents: tuple[Incident, ...] = ()
