"""What a mail to a command address wants, and whether to listen to it. Pure.

Who may be meant is read from the mail alone: From says whom to answer, never Reply-To, so that
nobody has something sent, or a list of subscriptions, to somebody else.
"""

from __future__ import annotations

from collections.abc import Collection

from postroad.mail.addresses import parse_address
from postroad.mail.automatic import answers_by_itself, automatic
from postroad.mail.commandwords import Word
from schemas.road import CommandRouted, MailReceived
from services.membership.requests import words
from services.membership.requests.words import Request


def needs_text(event: CommandRouted) -> bool:
    """Whether what is written in it matters, beside the address it was sent to."""
    return event.command in ("request", "confirm")


def request(
    event: CommandRouted, subject: str, text: str = "", names: Collection[str] = ()
) -> Request:
    """The commands of this mail; `names` are those of the list. To `-join` and `-leave` any
    content is the same: options of older systems are harmless, and so is their token
    (`team+subscribe-digest@`)."""
    match event.command:
        case "join":
            return Request(words=(Word(name="join"),))
        case "leave":
            return Request(words=(Word(name="leave", token=event.token),))
        case "confirm" if event.token:
            return Request(words=(Word(name="confirm", token=event.token),))
        case "confirm":
            read = words.read(subject, text, names).words
            confirming = tuple(word for word in read if word.name == "confirm")
            return Request(words=confirming or (Word(name="confirm"),))
        case "request":
            return words.read(subject, text, names)
        case _:
            return Request(words=(Word(name="help"),))


def deaf(mail: MailReceived, wanted: Request) -> str:
    """Why nothing in this mail is obeyed; empty where it is. What answers by itself never is;
    a leave link may be followed by a mail provider on somebody's behalf."""
    facts, sender = mail.facts, mail.envelope_from
    if reason := answers_by_itself(facts, sender):
        return reason
    if any(word.name == "leave" and word.token for word in wanted.words):
        return ""
    return automatic(facts, sender)


def author(mail: MailReceived) -> str:
    """The one readable address in From, in normal form; else empty."""
    boxes = mail.facts.from_
    if len(boxes) != 1 or "more than one from" in mail.facts.oddities:
        return ""
    return boxes[0].address


def for_another(word: Word, own: str, list_address: str) -> bool:
    """Whether a command names an address that is neither the author's nor the list's."""
    named = {parsed.key if (parsed := parse_address(each)) else each for each in word.addresses}
    return bool(named - {own, list_address})
