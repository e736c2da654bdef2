"""Each provider's profile against a server that enforces that provider's rules."""

from __future__ import annotations

import dataclasses
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from postroad.mail.tokens import TokenMaker
from postroad.runtime import secretfile
from tests.e2e.sending import Providing, providing
from tests.e2e.system import mail
from tests.peers.providerrules import ALL, GMAIL, MICROSOFT, POSTFIX, SES, Rules

GMAIL_LIST: dict[str, Any] = {
    "list_address": "me+team@gmail.com",
    "list_name": "Team",
    "bounces": ("me+team+bounces-", "@gmail.com"),
    "leave": ("me+team+leave-", "@gmail.com"),
}
NOTICE = (
    b"From: Team <team+confirm-abcdef@example.org>\r\nTo: new@example.net\r\n"
    b"Subject: Please confirm\r\nMessage-ID: <notice@example.org>\r\n\r\nJust answer.\r\n"
)


def read(data: bytes) -> EmailMessage:
    """A mail as a program reads it."""
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def arrived(here: Providing, recipient: str) -> EmailMessage:
    """The only mail in a mailbox."""
    (data,) = here.provider.mailboxes[recipient]
    return read(data)


@pytest.mark.parametrize("rules", ALL.values(), ids=list(ALL))
@pytest.mark.parametrize("personal", [True, False])
async def test_a_post_arrives_through_each(rules: Rules, personal: bool, tmp_path: Path) -> None:
    """A post of somebody else arrives once for each member; the provider finds nothing to refuse
    or to write anew, the author is named and an answer reaches her."""
    rules = dataclasses.replace(rules, per_minute=0)
    own = frozenset({"example.org"}) if rules is not GMAIL else frozenset[str]()
    async with providing(tmp_path, rules, identities=own, account="lists@example.org") as here:
        everyone = await here.queue(await here.post(1), 0, 40, personal=personal, list_name="Team")
        await here.finished(1)
        here.exact(everyone)
        assert not here.provider.violations()
        assert not here.provider.refused
        got = arrived(here, everyone[0])
        assert got["X-Google-Original-From"] is None
        if rules.name == "postfix":
            assert got["From"] == "Anna <anna@example.net>"
            assert got["Reply-To"] is None
            assert here.provider.records()[0].sender.startswith("team-bounces")
        else:
            assert str(got["From"]).startswith("Anna via Team <")
            assert got["Reply-To"] == "Anna <anna@example.net>"
            assert got["X-Original-From"] == "Anna <anna@example.net>"
        if rules.name in ("gmail", "microsoft365"):
            assert got["From"] == "Anna via Team <lists@example.org>"
            assert here.provider.records()[0].sender == "lists@example.org"


@pytest.mark.parametrize("rules", ALL.values(), ids=list(ALL))
async def test_a_bounce_tells_whose_copy_it_was(rules: Rules, tmp_path: Path) -> None:
    """The report on an address that died comes back with proof of the recipient: in its own
    address where the envelope may differ, else in the fields it quotes."""
    own = frozenset({"example.org"})
    async with providing(tmp_path, rules, identities=own, account="lists@example.org") as here:
        here.provider.dead = {"p0-3@example.net"}
        ref = await here.post(1)
        await here.queue(ref, 0, 5)
        await here.finished(1)
        tokens = TokenMaker(secretfile.read_key(tmp_path / "state" / "site.key"))
        ((to, reports),) = [
            (to, mails)
            for to, mails in here.provider.mailboxes.items()
            if to.endswith("@example.org")
        ]
        report = read(reports[0])
        assert report["Return-Path"] == "<>"
        token = to.partition("@")[0].partition("+")[2]
        if rules.name in ("gmail", "microsoft365"):
            assert to == "lists@example.org"
            quoted = list(report.iter_parts())[-1].as_string()
            assert f"X-Postroad-Trace: {ref.mail_id}" in quoted
            token = quoted.partition("X-Postroad-Copy: ")[2].partition("\n")[0].strip()
        assert tokens.read_verp("team-example-org", token) == (7, 3)


@pytest.mark.parametrize("rules", ALL.values(), ids=list(ALL))
async def test_a_notice_without_sender(rules: Rules, tmp_path: Path) -> None:
    """A notice has the null sender only where that is taken; a plain answer to it reaches the
    address with the token, whatever stands in From."""
    own = frozenset({"example.org"})
    async with providing(tmp_path, rules, identities=own, account="lists@example.org") as here:
        ref = await here.post(1, NOTICE)
        fields: dict[str, Any] = {
            "notice": True,
            "bounces": ("", ""),
            "leave": ("", ""),
            "list_name": "Team",
        }
        (to,) = await here.queue(ref, 0, 1, lane="now", **fields)
        await here.finished(1)
        assert not here.provider.refused
        got = arrived(here, to)
        assert str(got["Reply-To"] or got["From"]).endswith("team+confirm-abcdef@example.org>")
        assert "via" not in str(got["From"])
        senders = {
            "postfix": "",
            "ses": "team-bounces@example.org",
            "gmail": "lists@example.org",
            "microsoft365": "lists@example.org",
        }
        assert here.provider.records()[0].sender == senders[rules.name]


async def test_a_sub_address_of_gmail_is_a_list(tmp_path: Path) -> None:
    """A list at me+team@gmail.com sends as me@gmail.com, before Gmail makes it so."""
    async with providing(tmp_path, GMAIL, account="me@gmail.com") as here:
        (to,) = await here.queue(await here.post(1), 0, 1, **GMAIL_LIST)
        await here.finished(1)
        got = arrived(here, to)
        assert got["From"] == "Anna via Team <me@gmail.com>"
        assert got["Return-Path"] == "<me@gmail.com>"
        assert got["X-Google-Original-From"] is None
        assert "me+team+leave-" in str(got["List-Unsubscribe"])


async def test_threads_hold_though_ses_changes_message_ids(tmp_path: Path) -> None:
    """SES gives each copy an id of its own; every copy still names the author's, so an answer to
    one of them is in the thread of all."""
    own = frozenset({"example.org"})
    first = mail(1)
    answer = mail(2).replace(
        b"Subject:", b"In-Reply-To: <1@posts>\r\nReferences: <0@posts> <1@posts>\r\nSubject:"
    )
    async with providing(tmp_path, SES, identities=own) as here:
        await here.queue(await here.post(1, first), 0, 2)
        await here.queue(await here.post(2, answer), 1, 2)
        await here.finished(2)
        ann, bob = arrived(here, "p0-0@example.net"), arrived(here, "p0-1@example.net")
        assert ann["Message-ID"] != bob["Message-ID"]
        assert ann["References"] == bob["References"] == "<1@posts>"
        assert ann["X-Original-Message-ID"] == "<1@posts>"
        reply = arrived(here, "p1-0@example.net")
        assert reply["References"] == "<0@posts> <1@posts> <2@posts>"


@pytest.mark.parametrize(
    ("rules", "settings", "words"),
    [
        (MICROSOFT, {"from": '"any"'}, "SendAsDenied"),
        (MICROSOFT, {"envelope": '"verp"'}, "send as this sender"),
        (SES, {"from": '"any"'}, "is not verified"),
        (POSTFIX, {}, "not logged in"),
    ],
    ids=["from", "envelope", "identity", "postfix"],
)
async def test_not_allowed_is_the_relays_trouble(
    rules: Rules, settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    """Refused as somebody we may not send as: nobody is blamed, all wait, the status says why,
    somebody is told; allowed, everybody gets the post once."""
    rules = dataclasses.replace(rules, per_minute=0)
    if rules.name == "postfix":
        refusal = "553 5.7.1 Sender address rejected: not logged in"
        rules = dataclasses.replace(rules, envelope="refuse", not_your_envelope=refusal)
    async with providing(tmp_path, rules, relay=settings) as here:
        everyone = await here.queue(await here.post(1), 0, 20)
        await here.told(words)
        await here.nobody_failed()
        assert not here.provider.records()
        here.provider.identities = frozenset({"example.org", "example.net"})
        await here.finished(1)
        await here.well()
        await here.nobody_failed()
        here.exact(everyone)
        lines = await here.alarmed("works again")
        assert sum(words in line for line in lines) == 1, lines
