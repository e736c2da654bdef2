"""Where an answer to a post goes, and who seems to have written it: what owners may choose."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from postroad.mail.edits import apply
from postroad.mail.headers import scan
from schemas.mail import HeaderFacts
from services.router import copies
from tests.unit.router.mails import MEMBER, before, mail, the_list

TEAM, ANN, DESK, HELP = (
    f"{name}@lists.example.org" if name in ("team", "help") else f"{name}@example.org"
    for name in ("team", "ann", "desk", "help")
)
ONE, TWO = f"Reply-To: Desk <{DESK}>", f"Reply-To: {DESK}, team@LISTS.example.org"
POINT = {"reply_goes_to_list": "point_to_list"}
EXPLICIT = {"reply_goes_to_list": "explicit_header", "reply_to_address": HELP}
ONLY = {**EXPLICIT, "reply_goes_to_list": "explicit_header_only"}
STRIP = {"first_strip_reply_to": True}


def posted(*lines: str, munged: bool = False, **settings: Any) -> HeaderFacts:
    """What readers find in the header of a copy."""
    known = the_list(**settings)
    received = mail(*lines)
    ordinary = ("From: Ann <ann@example.org>", f"To: {TEAM}", "Subject: Tea")
    named = {line.partition(":")[0] for line in lines}
    head = [*lines, *(line for line in ordinary if line.partition(":")[0] not in named)]
    block = "\r\n".join([*head, "", ""]).encode()
    made = copies.post_edits(before(received, MEMBER, known), munged=munged)
    return scan(apply(block, made))[0]


def answered(facts: HeaderFacts) -> set[str]:
    """Whom a plain answer goes to."""
    return {box.address for box in facts.reply_to or facts.from_}


@pytest.mark.parametrize(
    ("settings", "line", "goes_to"),
    [
        ({}, "", {ANN}),
        ({}, ONE, {DESK}),
        (STRIP, ONE, {ANN}),
        (POINT, "", {TEAM}),
        (POINT, ONE, {TEAM, DESK}),
        (POINT, TWO, {TEAM, DESK}),
        (POINT, "Reply-To: nonsense", {TEAM}),
        ({**POINT, **STRIP}, ONE, {TEAM}),
        (EXPLICIT, "", {HELP}),
        (EXPLICIT, ONE, {HELP, DESK}),
        ({**EXPLICIT, **STRIP}, ONE, {HELP}),
        (ONLY, ONE, {HELP, DESK}),
        ({**ONLY, **STRIP}, ONE, {HELP}),
    ],
)
def test_an_answer_goes_where_the_list_says(
    settings: dict[str, Any], line: str, goes_to: set[str]
) -> None:
    """Mailman's four ways, and `first_strip_reply_to`: what the author asked for is kept beside
    the list's wish, or taken off first; no address stands twice."""
    facts = posted(*filter(None, [line]), **settings)
    assert answered(facts) == goes_to
    assert len(facts.reply_to) == len({box.address for box in facts.reply_to})


@pytest.mark.parametrize(
    ("settings", "line", "reply_to", "cc"),
    [
        ({}, "", [ANN], []),
        ({}, ONE, [DESK], [ANN]),
        (STRIP, ONE, [ANN], []),
        (POINT, "", [TEAM], [ANN]),
        (POINT, ONE, [TEAM, DESK], [ANN]),
        (EXPLICIT, "", [HELP], [ANN]),
        (POINT, f"Cc: {ANN}", [TEAM], [ANN]),
        ({}, f"Reply-To: {ANN}", [ANN], []),
    ],
)
def test_a_munged_author_stays_within_reach(
    settings: dict[str, Any], line: str, reply_to: list[str], cc: list[str]
) -> None:
    """From is the list's, and an answer goes where it would have gone: to the author by Reply-To,
    or, where that is for others, an answer to all by Cc."""
    facts = posted(*filter(None, [line]), munged=True, **settings)
    assert [(box.name, box.address) for box in facts.from_] == [("Ann via Team", TEAM)]
    assert [box.address for box in facts.reply_to] == reply_to
    assert [box.address for box in facts.cc] == cc


ABOUT_ANN = (
    "From: Ann Lee <ann@example.org>",
    "Sender: ann@example.org",
    "Reply-To: ann.lee@example.net",
    f"To: {TEAM}, Ann <ann@example.org>",
    "Cc: ann.lee@example.net",
    "Message-ID: <1@anns-laptop>",
    "In-Reply-To: <0@anns-laptop>",
    "References: <0@anns-laptop>",
    "Received: from anns-laptop by mx.example.org",
    "DKIM-Signature: v=1; d=example.org; i=ann@example.org",
    "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=ann@example.org",
    "X-Originating-IP: [192.0.2.7]",
    "X-Anything-New: ann",
    "Organization: Ann Ltd",
    "Autocrypt: addr=ann@example.org",
    "User-Agent: Ann's",
)


@pytest.mark.parametrize("munged", [False, True])
@pytest.mark.parametrize("how", [{}, POINT, STRIP, {"anonymous_list": True}])
def test_a_decision_names_no_person(how: dict[str, Any], munged: bool) -> None:
    """Decisions are kept for longer than mail: what they order holds no address of anybody."""
    edits = copies.post_edits(before(mail(*ABOUT_ANN), MEMBER, the_list(**how)), munged=munged)
    assert b"ann" not in msgspec.json.encode(edits).lower()


@pytest.mark.parametrize("munged", [False, True])
def test_an_anonymous_list_tells_nothing_of_the_author(munged: bool) -> None:
    """From and answers are the list's, and every field that could name the author is gone, also
    those that nobody has heard of; munging adds nothing."""
    known = the_list(anonymous_list=True)
    edits = copies.post_edits(before(mail(*ABOUT_ANN), MEMBER, known), munged=munged)
    block = apply("\r\n".join([*ABOUT_ANN, "Subject: Tea", "", ""]).encode(), edits)
    assert b"ann" not in block.lower()
    assert b"192.0.2" not in block
    facts, _ = scan(block)
    assert [(box.name, box.address) for box in facts.from_] == [("Team", TEAM)]
    assert [box.address for box in (*facts.to, *facts.cc, *facts.reply_to)] == [TEAM, TEAM]
    assert facts.subject == "[Team] Tea"
    assert facts.message_id


@pytest.mark.parametrize(
    "line",
    [
        "MIME-Version: 1.0 (by Ann)",
        "Date: Mon, 2 Mar 2026 10:00:00 +0100 (Ann's clock)",
        "Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nDate: Ann's",
        "Date: Ann's",
        f"To: ann+tag@example.org, {TEAM}",
        f'Cc: "{ANN}" <bert@example.org>',
        f"Cc: bert@example.org ({ANN})",
        f"To: Ann's friends: {TEAM};",
    ],
)
def test_no_field_of_an_anonymous_copy_has_words_of_the_author(line: str) -> None:
    """Comments, names of others and second fields are the author's words as well; the moment of
    writing stays, where there is one."""
    edits = copies.post_edits(before(mail(line), MEMBER, the_list(anonymous_list=True)))
    block = apply(f"Subject: Tea\r\n{line}\r\n\r\n".encode(), edits)
    assert b"ann" not in block.lower()
    assert b"bert" not in block.lower()
    facts, _ = scan(block)
    assert not [odd for odd in facts.oddities if "more than one" in odd]
    assert [box.address for box in facts.to] == [TEAM]
    assert facts.date == ("Mon, 02 Mar 2026 09:00:00 +0000" if "2026" in line else "")


@pytest.mark.parametrize(
    ("settings", "goes_to"),
    [
        (STRIP, {TEAM}),
        (POINT, {TEAM}),
        ({**EXPLICIT, **STRIP}, {HELP}),
        (EXPLICIT, {HELP, TEAM}),
    ],
)
def test_answers_at_an_anonymous_list(settings: dict[str, Any], goes_to: set[str]) -> None:
    """The list stands where the author's Reply-To would; the other settings go on from there."""
    assert answered(posted(*ABOUT_ANN, anonymous_list=True, **settings)) == goes_to


@pytest.mark.parametrize("how", [POINT, {"anonymous_list": True}, {"munged": True}])
def test_a_list_outside_ascii_is_named_as_it_is(how: dict[str, Any]) -> None:
    """Its address stands in From, Reply-To and X-BeenThere as RFC 6532 has it, never as an encoded
    word, so that answers reach it and a copy that comes round is known."""
    address = "t\u00ebam@lists.example.org"
    munged = "munged" in how
    known = the_list(**{} if munged else how)
    known = msgspec.structs.replace(known, address=address)
    others = f"Cc: J\u00fcrgen <j\u00fcrgen@b.example>, {ANN}"
    edits = copies.post_edits(before(mail(others), MEMBER, known), munged=munged)
    facts, _ = scan(apply(f"From: {ANN}\r\nSubject: Tea\r\n{others}\r\n\r\n".encode(), edits))
    assert address in {box.address for box in (*facts.from_, *facts.reply_to)}
    assert facts.been_there == (address,)
    assert "anonymous_list" in how or facts.cc[0].address == "j\u00fcrgen@b.example"
    assert not [odd for odd in facts.oddities if "from" in odd or "reply-to" in odd]
