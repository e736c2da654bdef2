"""Reports made of fields: delivery status (RFC 3464), complaints (RFC 5965), receipts (RFC 8098).

Pure. Fields are read from wherever a part of their type stands, also in a mail that is no
multipart/report, as forwarding programs make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from postroad.mail.addresses import parse_address
from postroad.mail.bounce import codes, wording
from postroad.mail.bounce.classify import kind_of
from postroad.mail.bounce.codes import Code
from postroad.mail.bounce.kinds import Bounce, Failure, Kind, together
from postroad.mail.bounce.wording import ADDRESS
from postroad.mail.parts import Part
from postroad.mail.words import decode, printable, text_of

RECIPIENTS = 100
DIAGNOSTIC = 1_000  # characters
STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RECEIPT_TYPES = ("message/disposition-notification", "message/global-disposition-notification")
FEEDBACK = "message/feedback-report"
_RECIPIENT = ("final-recipient", "original-recipient")
_OF_RECIPIENT = (*_RECIPIENT, "action")
_SAID = ("diagnostic-code", "x400-supplementary-info", "x-supplementary-info")
_FEEDBACK: dict[str, Kind] = {"auth-failure": "policy", "not-spam": "autoreply"}
_REFUSED = re.compile(r"\s*automatic-action\b[^;]*;\s*(?:deleted|denied|failed)", re.IGNORECASE)
_DELIVERED = ("delivered", "relayed", "expanded", "deliverable")  # the last by Postfix and sendmail
_BLANK_LINES = re.compile(rb"(?:\r\n|\r(?!\n)|\n)[ \t]*(?:\r\n|\r|\n)\s*")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_FIELD = re.compile(r"[ \t]{0,20}([A-Za-z][\w-]{1,60})[ \t]*:[ \t]*(.*)", re.ASCII)

Fields = dict[str, str]


def delivery(parts: Sequence[Part], letter: str) -> tuple[Bounce | None, bool]:
    """What the first delivery status with recipients says, and whether there is one: it may be that
    nobody lacks their copy. `letter` is what the report says to people."""
    for part in parts:
        if part.type not in STATUS_TYPES:
            continue
        groups = _groups(part.body)
        told = _of_recipients(groups)
        if told:
            failures = tuple(islice(_failures(told, letter), RECIPIENTS))
            if not failures:
                return None, True
            return replace(together(failures), server=_server(groups)), True
    return None, False


def complaint(parts: Sequence[Part]) -> Bounce | None:
    """What a feedback report says. Of its types `auth-failure` (RFC 6591) is about the mail and
    not its recipient, and `not-spam` is no complaint, but an answer that asks for nothing."""
    told = _all_fields(parts, (FEEDBACK,))
    if told is None:
        return None
    type_ = told.get("feedback-type", "abuse").lower()[:100]
    recipient = _address(told.get("original-rcpt-to") or told.get("removal-recipient", ""))
    kind = _FEEDBACK.get(type_, "complaint")
    return Bounce(
        kind, recipients=_only(recipient), diagnostic=f"feedback: {printable(type_, 100)}"
    )


def receipt(parts: Sequence[Part], letter: str) -> Bounce | None:
    """A note that somebody has read or deleted a mail; that a server has (`automatic-action`), and
    its `letter` speaks of a failure, is one: so LDAs and Sieve (RFC 5429) refuse mail."""
    told = _all_fields(parts, RECEIPT_TYPES)
    if told is None:
        return None
    recipient = _address(told.get("final-recipient", ""))
    said = decode(told.get("disposition", ""), DIAGNOSTIC)
    if _REFUSED.match(said) and wording.says(wording.plain(letter), "failed"):
        code = codes.written(letter)
        diagnostic = printable(" ".join(letter.split()), DIAGNOSTIC)
        return together((Failure(recipient, kind_of(code, letter), code.status, diagnostic),))
    return Bounce("autoreply", recipients=_only(recipient), diagnostic=said)


def _all_fields(parts: Iterable[Part], types: Sequence[str]) -> Fields | None:
    """The fields of the first part of these types, the first of each; None without one."""
    part = next((each for each in parts if each.type in types), None)
    if part is None:
        return None
    told: Fields = {}
    for group in _groups(part.body):
        told = {**group, **told}
    return told


def _of_recipients(groups: Sequence[Fields]) -> list[Fields]:
    """The groups that tell of recipients. What some programs put above the empty line, where only
    the server's own fields belong, is of all of them."""
    told = [each for each in groups if any(name in each for name in _OF_RECIPIENT)]
    named = [each for each in told if any(name in each for name in _RECIPIENT)]
    if not named or told[0] in named:
        return told
    return [{**told[0], **each} for each in named]


def _only(recipient: str) -> tuple[str, ...]:
    return (recipient,) if recipient else ()


def _groups(body: bytes) -> list[Fields]:
    """The groups of fields that empty lines part, names in lower case."""
    found = []
    for block in _BLANK_LINES.split(body.strip(), 4 * RECIPIENTS)[: 4 * RECIPIENTS]:
        fields: Fields = {}
        name = ""
        for line in _LINE_ENDS.split(text_of(block)):
            match = _FIELD.match(line)
            if match and (line[:1] not in " \t" or not name):
                name = match[1].lower()
                fields[name] = match[2].strip()[: 2 * DIAGNOSTIC]
            elif name and line.strip():
                fields[name] = f"{fields[name]} {line.strip()}"[: 2 * DIAGNOSTIC]
        if fields:
            found.append(fields)
    return found


def _failures(groups: list[Fields], letter: str) -> Iterable[Failure]:
    seen = set()
    for fields in groups:
        action = fields.get("action", "failed").partition(" ")[0].lower().strip(";,.")
        if action in _DELIVERED:
            continue
        failure = _failure(fields, letter, delayed=action == "delayed")
        if failure.recipient not in seen:
            seen.add(failure.recipient)
            yield failure


def _failure(fields: Fields, letter: str, *, delayed: bool) -> Failure:
    # whom the list wrote to comes first: servers on the way may have rewritten it
    order = ("original-recipient", "final-recipient", "x-actual-recipient")
    recipient = next(filter(None, (_address(fields.get(name, "")) for name in order)), "")
    status = codes.status_of(fields.get("status", ""))
    beside = fields.get("status", "").replace(status, "", 1).strip(" ()")  # `5.0.0 (disk full)`
    said = " ".join(_typeless(fields[name]) for name in _SAID if fields.get(name))
    diagnostic = decode(said or beside, 2 * DIAGNOSTIC)
    code = codes.written(diagnostic)
    if code.status and (codes.generic(status) or status[0] != code.status[0]):
        status = code.status
    code = Code(status or code.status, code.reply)
    kind = kind_of(code, diagnostic, letter, delayed=delayed)
    return Failure(recipient, kind, code.status, decode(diagnostic, DIAGNOSTIC), delayed)


def _server(groups: Iterable[Fields]) -> str:
    """The host that reports: `dns; mx.example.net` without its type."""
    named = (each.get("reporting-mta", "") for each in groups)
    return printable(_typeless(next(filter(None, named), "")), 100)


def _typeless(value: str) -> str:
    """`smtp; 550 5.1.1 ...` without its type."""
    type_, sign, said = value.partition(";")
    return said.strip() if sign and len(type_) < 20 and " " not in type_.strip() else value


def _address(value: str) -> str:
    """The address in `rfc822; name@example.org`, in its normal form; empty where it is none."""
    text = value.partition(";")[2] if ";" in value else value
    text = text.strip().strip("<>").strip()
    if address := parse_address(text):
        return address.key
    found = ADDRESS.search(text)
    return found[0].lower() if found else ""
