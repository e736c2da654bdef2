"""What is read from a bounce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["hard", "full", "policy", "soft", "autoreply", "challenge", "complaint"]
GRAVEST: tuple[Kind, ...] = ("hard", "full", "policy", "soft")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient who has no copy: their address (lower case, empty where it is not told), why,
    the status such as `5.1.1` (empty where there is none), and what the server said. Of one that
    is `delayed` the copy may still arrive."""

    recipient: str
    kind: Kind
    status: str = ""
    diagnostic: str = ""
    delayed: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail reports. `kind` is the gravest of its failures', which `failures` tell apart;
    of an answer, a challenge or a complaint it is the mail's own. `recipients` is whom it is about,
    as far as it says; `server` the host that reports it (RFC 3464 Reporting-MTA)."""

    kind: Kind
    status: str = ""
    recipients: tuple[str, ...] = ()
    diagnostic: str = ""
    failures: tuple[Failure, ...] = ()
    server: str = ""
    delayed: bool = False


def together(failures: tuple[Failure, ...]) -> Bounce:
    """A bounce of at least one failure."""
    worst = min(failures, key=lambda each: (GRAVEST.index(each.kind), each.delayed))
    recipients = dict.fromkeys(each.recipient for each in failures if each.recipient)
    return Bounce(
        *(worst.kind, worst.status, tuple(recipients), worst.diagnostic, failures),
        delayed=worst.delayed,
    )
