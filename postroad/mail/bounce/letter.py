"""Reports written as letters: who has no copy, and what is said of each. Pure.

Every server has its own form, and there is no list of them here: who is told of stands in a line
alone, or in the line that tells why, above the mail that is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from postroad.mail.bounce import codes, wording
from postroad.mail.bounce.classify import kind_of
from postroad.mail.bounce.kinds import Failure
from postroad.mail.bounce.wording import ADDRESS
from postroad.mail.parts import Part, words_of
from postroad.mail.words import printable

CHARS = 8_192  # of a letter
LINES = 400
RECIPIENTS = 100
MARKS = 200  # addresses that are looked at
DIAGNOSTIC = 1_000  # characters
TITLE = 8  # words of a line that may stand above the mail that is returned
BELOW = 12  # lines under an address that may tell why
_HEADERS = re.compile(  # of the mail that is returned; two of these in a row begin it
    r"[>| \t]{0,10}(?:return-path|received|message-id|mime-version|content-type|x-[\w-]{1,40}|date"
    r"|delivered-to|dkim-signature|from|to|subject|sender|reply-to|list-[\w-]{1,20}|cc) ?:",
    re.IGNORECASE,
)
_SURE = re.compile(
    r"[>| \t]{0,10}(?:return-path|received|mime-version|dkim-signature) ?:", re.IGNORECASE
)
_TITLE = re.compile(
    r":\s*\Z|\b(?:follow|attach|below|includ|enclos|append|quot)\w*[\s.]*\Z", re.IGNORECASE
)
_SENT_BY = re.compile(  # whose mail it was
    r"(?:\bsent by|(?<!generated )(?<!expanded )\bfrom)\s*:?[\s<\"']*\Z", re.IGNORECASE
)
_LONE = re.compile(r"[ \t]+([\w.-]{2,40})(?:[ \t]{2,}\S.*)?[ \t\r]*")
_NOTE = re.compile(r"\bscanned\b|\bvirus[- ]free\b|\bconfidential", re.IGNORECASE)
_RULED = re.compile(r"\s*[-=_*#~+]{2,}")
_BULLET = re.compile(
    r"[\s<>\[\]()\"'*:;,.|\u2022-]*(?:(?:mailto|rfc822|smtp)[:;=])?[\s<(\"']*", re.IGNORECASE
)
_SUMMARY = re.compile(  # of the mail in question, which tells nothing of why
    r"\s*(?:to|subject|betreff|objet|asunto|oggetto|onderwerp|assunto|件名|主题|主題|тема|from|von|cc|sent"
    r"|date|datum|gesendet|message-id) ?[:：]",
    re.IGNORECASE,
)
_TO = re.compile(r"\s*to ?:", re.IGNORECASE)
_NAMED = re.compile(
    r"recipient|\bto\b|\bfor:|(?:generated|expanded) from|user|address|mailbox|account|rcpt|mail"
    r"|für|\ban\b|destinat|宛先|收件人",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"(?:mailer-daemon|postmaster|mail-daemon|abuse|help|support|hostmaster)@", re.IGNORECASE
)


def text_above(parts: Sequence[Part]) -> str:
    """What the letter says, up to the mail that it returns; at most 8 KiB."""
    said = []
    for part in parts:
        if part.type.startswith("message/") or part.type in ("text/rfc822-headers", "text/rfc822"):
            break
        if part.type == "text/plain":
            said.append(part.text[: 4 * CHARS])
        elif part.type == "text/html" and not any(text.strip() for text in said):
            said.append(words_of(part.text[: 8 * CHARS]))
    return "\n".join(_own(("\n".join(said))[: 4 * CHARS]))[:CHARS]


def failures(
    letter: str, own: frozenset[str], named: Sequence[str] = (), home: str = ""
) -> tuple[Failure, ...]:
    """Who has no copy. `own` are addresses that the letter is from and to; `named` are those its
    header names; `home` is the domain of the server, whose users it may name without. Where it
    names nobody there is one failure, of nobody."""
    found: dict[str, str] = {}
    for address, said in _told(letter, own):
        found.setdefault(address, said)
    if home and not (found or named):
        found = {f"{name}@{home}": said for name, said in _lone(letter)}
    for address in named:
        found.setdefault(address, "")
    letter = "\n".join(line for line in letter.split("\n") if not _beside(line))
    delayed = wording.says(wording.plain(letter), "delayed")
    if not found:
        found[""] = letter
    made = (
        _failure(address, said, letter, delayed=delayed)
        for address, said in list(found.items())[:RECIPIENTS]
    )
    return tuple(made)


def _failure(address: str, said: str, letter: str, *, delayed: bool) -> Failure:
    code = codes.written(said)
    if not (code.status or code.reply):
        code = codes.written(letter)
    kind = kind_of(code, said, letter, delayed=delayed)
    diagnostic = " ".join((said or _line_with(letter, code.status)).split())
    return Failure(address, kind, code.status, printable(diagnostic, DIAGNOSTIC), delayed)


def _beside(line: str) -> bool:
    """Whether a line tells nothing of why: of the mail in question, or put below every mail."""
    return _SUMMARY.match(line) is not None or _NOTE.search(line) is not None


def _line_with(letter: str, status: str) -> str:
    lines = letter.splitlines()
    return next((line for line in lines if status and status in line), "")


def _own(text: str) -> Iterator[str]:
    """The lines above the mail that is returned."""
    lines = text.split("\n")[:LINES]
    for at, line in enumerate(lines):
        after = lines[at + 1] if at + 1 < len(lines) else ""
        if _SURE.match(line) or (_HEADERS.match(line) and _SURE.match(after)):
            return
        titled = _TITLE.search(line) is not None and len(line.split()) <= TITLE
        ruled = _RULED.match(line) or titled
        if at and ruled and wording.says(wording.plain(line[:200]), "original"):
            return
        yield line


def _told(letter: str, own: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each address that is told of, and what is said of it, from the surest form there is."""
    lines = letter.split("\n")
    marks = list(islice(_marks(lines, own), MARKS))
    best = min((form for _, _, form in marks), default=0)
    marks = [mark for mark in marks if mark[2] == best]
    for number, (at, address, _) in enumerate(marks):
        others = (each for each, other, _ in marks[number:] if each > at and other != address)
        yield address, _paragraph(lines[at : min(next(others, at + BELOW), at + BELOW)])


def _lone(letter: str) -> Iterator[tuple[str, str]]:
    """Names that stand alone below a line that says that they have no copy, and the lines there."""
    lines = letter.split("\n")
    for at, line in enumerate(lines):
        below = [each for each in lines[at + 1 : at + BELOW] if each.strip()][:1]
        told = line.rstrip().endswith(":") and below and _LONE.fullmatch(below[0])
        if told and wording.says(wording.plain(" ".join(lines[max(at - 2, 0) : at + 1])), "failed"):
            yield told[1].lower(), _paragraph(lines[max(at - 2, 0) : at + BELOW])


def _marks(lines: Sequence[str], own: frozenset[str]) -> Iterator[tuple[int, str, int]]:
    """Each address that may be told of: its line, itself, and how sure that is (`_form`)."""
    above = ""
    for at, line in enumerate(lines):
        sender = _SENT_BY.search(above[-100:]) is not None
        above = line.rstrip() or above
        for found in islice(ADDRESS.finditer(line[:500]), 10):
            address = found[0].lower().removeprefix("smtp=").strip(".'")
            form = 0 if sender else _form(line[:500], found)
            if form and address not in own and not _NOBODY.match(address):
                yield at, address, form


def _form(line: str, found: re.Match[str]) -> int:
    """How sure it is that this address has no copy: 1 alone on its line, or with its reason behind
    it, 2 in a line that begins with it or tells why, 3 after a name such as `for`, 4 where the mail
    in question is described, 0 not at all."""
    before, after = line[: found.start()], line[found.end() :].lstrip(" >)]\"'")
    if _BULLET.fullmatch(before):
        return 1 if after[:1] in ("", ":", "(", ".", "-", ",", ";") else 2
    if _SENT_BY.search(before):
        return 0
    if _SUMMARY.match(line):
        return 4 if _TO.match(line) else 0
    if codes.written(line).status or wording.meaning(wording.plain(line)):
        return 2
    return 3 if _NAMED.search(before) or found[0].upper().startswith("SMTP=") else 0


def _paragraph(lines: Sequence[str]) -> str:
    """Lines up to the second gap: some leave a line empty between an address and its reason."""
    kept: list[str] = []
    for line in lines:
        if not line.strip() and len(kept) > 1:
            break
        if line.strip():
            kept.append(line.strip())
    return " ".join(kept)[: 2 * DIAGNOSTIC]
