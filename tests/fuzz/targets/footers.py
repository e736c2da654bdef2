"""A list's own lines in a post: all that the author wrote is there, and the lines are once."""

from __future__ import annotations

from postroad.mail import wire
from postroad.mail.edits import apply
from postroad.mail.footer import decorate
from postroad.mail.headers import scan
from postroad.mail.mergefields import parse
from postroad.mail.structure import Unreadable, below, read
from services.sender.body import merged

HEADERS = ("", "Grüße von $user_email\n$unsubscribe")
FOOTERS = ("____\nTeam\nTo leave: $unsubscribe", "Verein Grün")
VALUES = {"unsubscribe": "mailto:leave@x\r\n--b--", "user_email": "ann@example.net"}


def one_input(data: bytes) -> None:
    """Which lines (the first octet), and a whole mail."""
    which, mail = data[0] if data else 0, data[1:]
    head = scan(mail)[1]
    lines = parse(HEADERS[which & 1]), parse(FOOTERS[which >> 1 & 1])
    made = decorate(mail, head, *lines)
    if made is None:
        return
    out, body, at = apply(wire.canonical(mail[:head]), made.edits), b"", head
    for insertion in made.insertions:
        assert at <= insertion.at <= len(mail)
        assert insertion.at == len(mail) or mail[insertion.at - 1] in b"\r\n"
        theirs = wire.canonical(mail[at : insertion.at])
        body, at = body + theirs, insertion.at
        out += theirs + merged(insertion, VALUES)
    theirs = wire.canonical(mail[at:])
    out += theirs
    assert body + theirs == wire.canonical(mail[head:])
    assert out == wire.canonical(out)
    try:
        before = sum(not each.parts for each in below(read(wire.canonical(mail))))
        after = sum(not each.parts for each in below(read(out)))
    except Unreadable:
        return
    assert before <= after <= before + 2
