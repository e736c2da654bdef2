"""What is kept of a bounce, and when a provider fails rather than its people."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postroad.mail.bounce import Bounce
from postroad.mail.bounce.codes import written
from postroad.mail.bounce.kinds import Failure as Reported
from postroad.mail.bounce.kinds import together
from schemas.membership import BounceKind
from schemas.road import Failure
from services.membership.bounces.decider import POINTS
from services.membership.bounces.evidence import of_refusal, of_report, redacted
from services.membership.bounces.incident import Incidents, is_incident

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_of_several_recipients_the_members_own_failure_counts() -> None:
    """A report on many says of each why; one that names only others was passed on to them."""
    report = together(
        (
            Reported("bob@example.net", "hard", "5.1.1", "no such user"),
            Reported("ann@example.net", "full", "5.2.2", "over quota"),
        )
    )
    for address, kind in (("Ann@Example.NET", "full"), ("zoe@example.net", "hard")):
        assert of_report(report, address, at=AT, post="p", report="r").kind == kind
    assert of_report(Bounce("complaint"), "a@b.example", at=AT, post="p", report="r").kind == (
        "complaint"
    )


def test_no_refusal_of_the_mail_itself_counts_against_its_recipient() -> None:
    """DMARC, block lists, spam, size, of servers around the world, though the relay that said it
    was taken to speak of the recipient."""
    file = Path(__file__).parents[1] / "mail" / "bounces" / "said.toml"
    halves: dict[str, dict[str, list[str]]] = tomllib.loads(file.read_text("utf-8"))
    for said in (said for half in halves.values() for said in half["policy"]):
        code = written(said)
        failure = Failure(
            index=0, code=code.reply or 550, enhanced=code.status, text=said, kind="failed"
        )
        told = of_refusal(failure, "ann@example.net", at=AT, post="p")
        assert told is not None
        assert told.kind not in POINTS, said


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(index=0, code=550, enhanced="5.1.1", text="unknown", kind="failed"), "hard"),
        (Failure(index=0, code=552, enhanced="5.2.2", text="full", kind="failed"), "full"),
        (Failure(index=0, code=550, enhanced="5.7.1", text="DMARC", kind="failed"), "policy"),
        (Failure(index=0, code=451, enhanced="4.4.1", text="no answer", kind="failed"), "soft"),
        (Failure(index=0, code=550, kind="failed", scope="relay"), None),
        (Failure(index=0, code=550, kind="failed", scope="message"), None),
        (Failure(index=0, code=550, kind="failed", scope="destination"), None),
        (Failure(index=0, code=0, kind="left"), None),
        (Failure(index=0, code=450, kind="deferred"), None),
    ],
)
def test_a_refusal_counts_where_it_is_about_the_recipient(
    failure: Failure, kind: BounceKind | None
) -> None:
    """What a relay says of itself, of the mail or of a domain is nobody's bounce."""
    told = of_refusal(failure, "ann@example.net", at=AT, post="p")
    assert (told.kind if told else None) == kind


def test_no_address_is_kept_of_what_a_server_said() -> None:
    """Neither whole, nor the recipient's name where it stands alone."""
    said = "550 5.1.1 <Ann.Lee@example.net>: user ann.lee\nunknown, see postmaster@example.net"
    kept = redacted(said, "ann.lee@example.net")
    assert kept == "550 5.1.1 <(address)>: user (address) unknown, see (address)"
    assert "user al unknown" in redacted("user al unknown", "al@example.net")
    assert "mailbox full" in redacted("552 5.2.2 mailbox full", "full@example.net")
    assert redacted("<full@example.net> is full", "full@example.net") == "<(address)> is full"


def test_many_of_one_provider_at_once_are_an_incident() -> None:
    """At least ten, and a quarter of those it has; who fails again and again is one."""
    assert not is_incident(9, 9)
    assert is_incident(10, 40)
    assert not is_incident(10, 41)
    incidents = Incidents()
    counts = [incidents.failing("l", "d.example", f"p{n % 12}", AT) for n in range(24)]
    assert counts == [*range(1, 13), *[12] * 12]
    assert incidents.failing("l", "other.example", "p", AT) == 1
    assert incidents.failing("l", "d.example", "p", AT + timedelta(hours=49)) == 1
