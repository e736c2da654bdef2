"""Events of PENDING: confirmations waited for, how often whom was written to, and what owners were
told of failures.

Each message says all there is to say of its subject, which keeps only the last. Addresses stand
here for 14 days at most; nobody is in PEOPLE before they agreed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.envelope import Event
from schemas.mail import Data
from schemas.membership import DeliveryMode, Role

Action = Literal["join", "leave", "mail_on", "mail_off"]


class ConfirmationAsked(Event, tag="confirmation_asked", kw_only=True):
    """Somebody is to confirm `action`, by the token whose MAC names the subject. `cause` is the
    mail id or command id that asked; `role` and `delivery_mode` are what a join is for."""

    list: str
    action: Action
    address: str
    display_name: str = ""
    role: Role = "member"
    delivery_mode: DeliveryMode = "regular"
    cause: str
    expires: datetime


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
    confirmation: what it asks (`list`, `action`), the MAC that names its subject (`question`),
    whether it still waits (`open`), and whether it was answered by yes."""

    kind: Literal["confirmation", "answer"]
    list: str = ""
    action: Action | Literal[""] = ""
    question: str = ""
    cause: str
    at: datetime
    open: bool = False
    answered: bool = False


class Contacted(Event, tag="contacted", kw_only=True):
    """Every mail that still counts against the limits of one address, oldest first."""

    contacts: tuple[Contact, ...]


class FailuresTold(Event, tag="failures_told", kw_only=True):
    """The owners of lists are told who finally failed in the ledger entries behind `after`, up to
    and with `upto` (sequences of DELIVERY). It began `at`; until it is `done`, some may not be
    told yet."""

    after: int
    upto: int
    at: datetime
    done: bool = False
