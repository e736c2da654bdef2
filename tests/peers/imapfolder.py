"""The folders of the scripted IMAP server: mails, sets of their numbers, FETCH and SEARCH."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

ITEM = re.compile(r"(BODY(?:\.PEEK)?)\[([^\]]*)\](?:<(\d+)\.(\d+)>)?|[\w.]+", re.IGNORECASE)


@dataclass
class Mail:
    r"""One stored mail; `flags` such as r"\Seen", `date` the INTERNALDATE."""

    uid: int
    data: bytes
    flags: set[str] = field(default_factory=set)
    date: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Form:
    """How bodies are sent: what stands after the size in `{n}`, and whether one without line ends
    is sent as a quoted string."""

    mark: str = ""
    quoted: bool = False


@dataclass
class Folder:
    """One folder; `mails` in the order of their UIDs."""

    uidvalidity: int = 1
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)
    read_only: bool = False

    def add(self, data: bytes, flags: Iterable[str] = (), date: datetime | None = None) -> int:
        """Store a mail; its UID."""
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.mails.append(Mail(uid, data, set(flags), date or datetime.now(UTC)))
        return uid

    def expunge(self, uid: int) -> None:
        """Take a mail away, as somebody else may."""
        self.mails = [mail for mail in self.mails if mail.uid != uid]

    def chosen(self, numbers: str, uid: bool) -> list[tuple[int, Mail]]:
        """The mails of a set such as "3,5:*" (RFC 3501 section 9, sequence-set), each with its
        sequence number; `uid` when the set names UIDs."""
        last = (self.mails[-1].uid if uid else len(self.mails)) if self.mails else 0
        found: set[int] = set()
        for part in numbers.split(","):
            ends = [last if end == "*" else int(end) for end in part.split(":")]
            low, high = min(ends), max(ends)
            if uid:  # mails are in the order of their UIDs, and may be many
                low = bisect_left(self.mails, low, key=_uid) + 1
                high = bisect_right(self.mails, high, key=_uid)
            found.update(range(max(low, 1), min(high, len(self.mails)) + 1))
        return [(number, self.mails[number - 1]) for number in sorted(found)]

    def search(self, keys: Sequence[str]) -> list[tuple[int, Mail]]:
        """The mails that meet all keys (ALL, SEEN, UNSEEN, DELETED, UNDELETED, UID set). Raises
        KeyError for another key."""
        found = self.chosen("1:*", uid=False)
        remaining = iter(keys)
        for key in remaining:
            match key.upper():
                case "ALL":
                    pass
                case "UID":
                    uids = {mail.uid for _, mail in self.chosen(next(remaining), uid=True)}
                    found = [(number, mail) for number, mail in found if mail.uid in uids]
                case name:
                    flag, wanted = FLAG_KEYS[name]
                    found = [each for each in found if (flag in each[1].flags) is wanted]
        return found


def _uid(mail: Mail) -> int:
    return mail.uid


PLAIN = Form()
FLAG_KEYS = {
    "SEEN": (r"\Seen", True),
    "UNSEEN": (r"\Seen", False),
    "DELETED": (r"\Deleted", True),
    "UNDELETED": (r"\Deleted", False),
}


def fetched(mail: Mail, items: str, form: Form = PLAIN) -> bytes:
    r"""The items of a FETCH answer; BODY[] without PEEK sets \Seen. Raises KeyError for an
    item or a section that is not known."""
    return b" ".join(_item(mail, item, form) for item in ITEM.finditer(items))


def _item(mail: Mail, item: re.Match[str], form: Form) -> bytes:
    name = item[0].upper()
    if item[1]:
        if "PEEK" not in name:
            mail.flags.add(r"\Seen")
        head, empty, text = mail.data.partition(b"\r\n\r\n")
        section = item[2].upper()
        data = {"": mail.data, "HEADER": head + empty, "TEXT": text}[section]
        origin = ""
        if item[3]:
            data = data[int(item[3]) : int(item[3]) + int(item[4])]
            origin = f"<{item[3]}>"
        body = f"BODY[{section}]{origin} ".encode()
        if form.quoted and not re.search(rb"[\r\n\0]", data):
            return body + b'"' + re.sub(rb'(["\\])', rb"\\\1", data) + b'"'
        return body + f"{{{len(data)}{form.mark}}}\r\n".encode() + data
    return {
        "UID": b"UID %d" % mail.uid,
        "FLAGS": f"FLAGS ({' '.join(sorted(mail.flags))})".encode(),
        "RFC822.SIZE": b"RFC822.SIZE %d" % len(mail.data),
        "INTERNALDATE": f'INTERNALDATE "{mail.date:%d-%b-%Y %H:%M:%S %z}"'.encode(),
    }[name]
