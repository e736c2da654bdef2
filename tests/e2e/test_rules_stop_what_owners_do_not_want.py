"""What owners set, as a member sees it: each rule stops one mail, and the next comes through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from postroad.mail import approval
from tests.e2e.system import mail, world

pytestmark = pytest.mark.e2e
READER, ANNA, EVE = "reader@d1.example.net", "anna@example.net", "eve@evil.example"
PASSWORD = "correct horse"
KEPT = approval.hashed(PASSWORD, bytes(range(16)))
MANY = ", ".join(f"friend{number}@example.net" for number in range(12))


@dataclass(frozen=True)
class Case:
    """A list with these settings, a mail that its members must not get, and why; all else is as
    in the mail that they get after it."""

    rule: str
    settings: Mapping[str, str]
    stopped: bytes
    passed: bytes
    kind: str = "held"
    members: tuple[str, ...] = (READER, ANNA)

    @property
    def address(self) -> str:
        """Of its list."""
        return f"{self.rule}@example.org"


def case(rule: str, *, wrong: Mapping[bytes, bytes], more: bytes = b"", **about: Any) -> Case:
    """A case whose first mail differs from its second by what is `wrong`: octets for octets. The
    second has `more` fields than the ordinary."""
    passed = more + mail(f"{rule}-passes", to=f"{rule}@example.org")
    stopped = passed.replace(b"-passes", b"-stopped")
    for right, instead in wrong.items():
        assert right in stopped
        stopped = stopped.replace(right, instead)
    about.setdefault("settings", {})
    return Case(rule, stopped=stopped, passed=passed, **about)


RECEIVED = b"Received: from mx by mailbox; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
APPROVED = f"Approved: {PASSWORD}\r\n".encode()
FROM_ANNA = {b"anna@example.net": EVE.encode()}
CASES = (
    case("max-hops", wrong={RECEIVED: RECEIVED * 31}),
    case("automatic", wrong={b"Subject:": b"Auto-Submitted: auto-generated\r\nSubject:"}),
    case(
        "emergency",
        settings={"emergency": "true", "moderator_password": KEPT},
        more=APPROVED,
        wrong={APPROVED: b""},
    ),
    case("banned-address", settings={"bans": EVE}, wrong=FROM_ANNA, kind="discarded"),
    case("no-senders", wrong={b"From: Anna <anna@example.net>": b"From: Anna"}),
    case("member-moderation", wrong=FROM_ANNA, members=(READER, ANNA, EVE), kind="held"),
    case(
        "header-match",
        settings={"header_matches": "hold Subject: nothing\ndiscard X-Spam-Flag: ^yes$"},
        wrong={b"Subject:": b"X-Spam-Flag: YES\r\nSubject:"},
        kind="discarded",
    ),
    case("suspicious-header", wrong={b"Subject:": b"X-Advertisement: yes\r\nSubject:"}),
    case(
        "nonmember-moderation",
        settings={
            "default_nonmember_action": "discard",
            "accept_these_nonmembers": ANNA,
            "hold_these_nonmembers": r"^.*@evil\.example$",
        },
        wrong=FROM_ANNA,
        members=(READER,),
    ),
    case("administrivia", wrong={b"Subject: post": b"Subject: unsubscribe\r\nX-Was: "}),
    case(
        "implicit-dest",
        settings={"require_explicit_destination": "true"},  # as it is by default
        wrong={b"To: implicit-dest": b"Bcc: implicit-dest"},
    ),
    case("max-recipients", wrong={b"To: max": f"To: {MANY}, max".encode()}),
    case("max-size", settings={"max_message_size": "4"}, wrong={b"and so on": b"x" * 300}),
    case("no-subject", wrong={b"Subject: ": b"X-Subject: "}),
)
SOURCE = {"recipient_headers": '["X-Original-To"]'}


async def road(home: Path) -> dict[str, tuple[str, str]]:
    """Every case on one road: by the Message-ID of a mail what became of it (kind and reasons), and
    `posted` for what the reader has a copy of."""
    site = {"POSTROAD_SITE__HEADER_CHECKS": "hold X-Advertisement: ."}
    found: dict[str, tuple[str, str]] = {}
    async with world(home, source=SOURCE, services=(), keep=True) as here:
        for name in ("membership", "router", "sender", "ingest"):
            await here.road.run(name, env=site)
        await here.road.ready()
        for each in CASES:
            await here.road.make_list(each.address, each.members, **each.settings)
        told = await here.road.cli(
            *("member", "set", "member-moderation@example.org", EVE, "moderation_action=hold")
        )
        assert told.code == 0, told.err
        for each in CASES:
            for message in (each.stopped, each.passed):
                here.post(f"X-Original-To: {each.address}\r\n".encode() + message)
        await here.road.settled(2 * len(CASES))
        shown = await here.road.cli("post", "ls", "--limit", "100", "--json")
        for row in shown.json:
            found[row["message_id"].partition("@")[0]] = (row["kind"], row["reason"])
        for record in here.sink.records():
            assert PASSWORD not in record.headers
            if READER in record.recipients:
                head = record.headers.split("Message-ID: <")[1]
                found[head.partition("@")[0]] = ("posted", "")
        assert not here.sink.violations()
    return found


@pytest.fixture(scope="module")
def became(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What became of each mail."""
    return asyncio.run(road(tmp_path_factory.mktemp("road")))


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.rule)
def test_a_rule_stops_what_it_is_for_and_nothing_else(
    each: Case, became: dict[str, tuple[str, str]]
) -> None:
    """Members do not get the mail that the rule is for; they get the same mail without it."""
    kind, reason = became[f"{each.rule}-stopped"]
    assert kind == each.kind
    assert reason.startswith(f"{each.rule}: ")
    assert became[f"{each.rule}-passes"] == ("posted", "")
