"""What a mail reports of mail that was sent before, if it reports anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from postroad.mail import automatic
from postroad.mail.bounce import codes, letter, report, wording
from postroad.mail.bounce.kinds import Bounce, together
from postroad.mail.bounce.wording import ADDRESS
from postroad.mail.headers import decoded_fields, scan
from postroad.mail.parts import Part, parts
from postroad.mail.subjectline import is_reply
from schemas.mail import HeaderFacts

LEVELS = 3  # of reports that are sent on in a mail that says nothing itself
FIRST = 700  # characters of a letter in which it says what it is
_DAEMON = re.compile(
    r"(?:mail|mailer)[-_.]?(?:daemon|delivery|system|admin|administrator)|post[-_.]?master|mdaemon"
    r"|mmdf|uucp|mail[-_.]delivery[-_.].{1,40}|(?:bounce|ndr|nondelivery|undeliver\w{0,4})",
    re.IGNORECASE,
)
_FAILED = "x-failed-recipients"  # Exim, Gmail
_QUOTES = (">", "|")


def read(data: bytes, facts: HeaderFacts, envelope_from: str | None = None) -> Bounce | None:
    """What a whole mail with these facts reports: a bounce, an answer of a program, a complaint;
    None where it is nothing of the kind. Never raises, whatever the bytes are."""
    by_itself = bool(automatic.answers_by_itself(facts, envelope_from))
    for _ in range(LEVELS):
        found = tuple(parts(data))
        text = letter.text_above(found)
        if bounce := report.complaint(found) or report.receipt(found, text):
            return bounce
        written = _Letter(data, facts, text, by_itself)
        if written.complains(found):
            return Bounce("complaint", diagnostic=facts.subject)
        bounce, told = report.delivery(found, text)
        if told:
            return bounce if not (bounce and written.holds(bounce)) else written.answer()
        whole = next((each.body for each in found if each.type == "message/rfc822"), b"")
        if text.strip() or not (whole and by_itself):
            break
        data, (facts, _) = whole, scan(whole)  # some filters send a report on within a mail
    return written.failure() or written.answer()


@dataclass(frozen=True)
class _Letter:
    """A mail without fields that report anything. `by_itself` is whether it has the marks of one
    that answers by itself."""

    data: bytes
    facts: HeaderFacts
    text: str
    by_itself: bool

    def failure(self) -> Bounce | None:
        """Who has no copy, where it says that mail was not delivered. Told by who wrote it, its
        subject, and how it begins: two of the three are enough, and none alone, for people
        write of bounces, and programs answer for people."""
        titled = automatic.undelivered(self.facts.subject) or wording.says(self._subject, "failed")
        failed = wording.says(wording.plain(self._unquoted[:FIRST]), "failed")
        if self._daemon or self.by_itself:
            is_one = (titled or failed) and (self._daemon or not self._challenges)
        else:
            is_one = titled and failed and not self._by_person
        if not (is_one or _FAILED in self.facts.vendor_auto):
            return None
        named = [
            found.lower()
            for name, value in decoded_fields(self.data)
            if name == _FAILED
            for found in ADDRESS.findall(value)
        ]
        facts = self.facts
        own = {box.address for box in (*facts.from_, *facts.to, *facts.reply_to)} - set(named)
        home = facts.from_[0].address.rpartition("@")[2] if self._daemon else ""
        return together(letter.failures(self.text, frozenset(own), named, home))

    def complains(self, found: Sequence[Part]) -> bool:
        """Whether it hands back a mail that a recipient called spam, without fields that say so:
        its subject does, and it says nothing itself."""
        whole = any(part.type == "message/rfc822" for part in found)
        return whole and wording.says(self._subject, "complaint") and not self.text.strip()

    def holds(self, bounce: Bounce) -> bool:
        """Whether this report of a failure is of a mail that waits for its sender's proof."""
        vague = bounce.kind in ("policy", "soft") or codes.generic(bounce.status)
        return (
            vague and not self._daemon and wording.many(wording.plain(self._unquoted), "challenge")
        )

    def answer(self) -> Bounce | None:
        """A program's answer or challenge."""
        author = tuple(box.address for box in self.facts.from_)[:1]
        if self._challenges:
            return Bounce("challenge", recipients=author, diagnostic=self.facts.subject)
        away = automatic.out_of_office(self.facts.subject.lstrip("[(*# "))
        lines = [line.strip() for line in self._unquoted.split("\n")[:20]]
        sure = self._machine or self._answers or automatic.says_away(lines)
        if self.by_itself or (away and sure):
            return Bounce("autoreply", recipients=author, diagnostic=self.facts.subject)
        return None

    @property
    def _challenges(self) -> bool:
        """Whether a program wants the sender to prove something. Of one that does not answer by
        itself, as newsletters, both the subject and the text must say so; of one with no mark, the
        text twice, in answer to a mail."""
        text = wording.plain(self._unquoted)
        if not self._machine:
            answers = self._answers or is_reply(self.facts.subject)
            return answers and wording.many(text, "challenge")
        told = wording.says(self._subject, "challenge")
        said = wording.says(text, "challenge")
        return (told or said) if self.by_itself else (told and said)

    @property
    def _answers(self) -> bool:
        """Whether it is in answer to a mail, by its fields."""
        return bool(self.facts.in_reply_to or self.facts.references)

    @property
    def _by_person(self) -> bool:
        """Whether it looks like a person's reply to a bounce: programs that put `Re:` before the
        subject name no mail that they answer."""
        return is_reply(self.facts.subject) and self._answers

    @property
    def _machine(self) -> bool:
        return self.by_itself or bool(automatic.automatic(self.facts))

    @property
    def _daemon(self) -> bool:
        locals_ = (box.address.rpartition("@")[0] for box in self.facts.from_)
        return any(_DAEMON.fullmatch(local) for local in locals_)

    @property
    def _subject(self) -> str:
        return wording.plain(self.facts.subject)

    @property
    def _unquoted(self) -> str:
        lines = self.text.split("\n")
        return "\n".join(line for line in lines if not line.lstrip().startswith(_QUOTES))
