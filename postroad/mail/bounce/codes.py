"""Status codes in bounces (RFC 3463, IANA), and the reply codes of SMTP (RFC 5321). Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from postroad.mail.bounce.kinds import Kind

# Permanent failures by what stands behind the first dot; `*` for every other detail. What is not
# here does not tell who or what is refused.
_BY_STATUS: dict[str, Kind | Literal[""]] = {
    "1.7": "policy",  # the sender's address
    "1.8": "policy",
    "1.9": "policy",
    "1.20": "policy",  # more than one author (Microsoft)
    "1.*": "hard",
    "2.1": "hard",  # the mailbox is switched off
    "2.2": "full",
    "2.3": "policy",  # the mail is too large for it
    "3.1": "soft",  # the server is full, and not the mailbox
    "3.2": "soft",
    "3.3": "policy",
    "3.4": "policy",
    "3.5": "soft",
    "4.1": "soft",  # no answer
    "4.2": "soft",
    "4.3": "soft",
    "4.4": "hard",  # the domain has no mail server
    "4.5": "soft",
    "4.6": "soft",  # a loop
    "4.7": "soft",  # given up after some days
    "4.14": "soft",  # a loop (Microsoft)
    "4.300": "soft",  # given up (Microsoft)
    "4.310": "hard",  # no such domain (Microsoft)
    "4.316": "soft",
    "4.317": "soft",
    "5.3": "soft",  # too many recipients at once
    "6.*": "policy",
    "7.17": "hard",  # the mailbox has another owner (RFC 7293)
    "7.18": "hard",
    "7.19": "soft",
    "7.*": "policy",
}
_TAKES_NONE = (521, 556)  # a host, a domain without mail (RFC 7504)
_BY_REPLY: dict[int, Kind | Literal[""]] = {551: "hard", 552: "full", 553: "hard"}

_ENHANCED = r"[245]\.\d{1,3}\.\d{1,3}"
_FOUND = re.compile(  # "550 5.1.1", "550-5.1.1", "#5.1.1", "#550 5.1.1", "(5.1.1)", "; 5.1.1"
    rf"(?<![\w.])([45]\d\d)[ \t-]+#?({_ENHANCED})(?![\d.]*\d)"
    rf"|#({_ENHANCED})(?![\d.]*\d)"
    rf"|(?<![\w./-])({_ENHANCED})(?!\.?\d)(?![\w/-])"
)
_REPLY = re.compile(
    r"(?<![\w.:-])(4[25]\d|5[025]\d)(?=[ \t:-])(?![ \t]*(?:bytes|octets|kb|mb))", re.IGNORECASE
)
_STATUS = re.compile(_ENHANCED)


class Code(NamedTuple):
    """A status such as `5.1.1` and a reply such as 550; `""` and 0 where there is none."""

    status: str = ""
    reply: int = 0

    @property
    def temporary(self) -> bool:
        """Whether it means a failure that may pass: a reply counts before a status."""
        return self.reply // 100 == 4 if self.reply else self.status[:1] == "4"


def written(text: str) -> Code:
    """The codes that stand in a text: the first that has a status of a failure, else a reply."""
    reply = _REPLY.search(text)
    for found in _FOUND.finditer(text):
        status = found[2] or found[3] or found[4]
        if status[0] != "2":
            code = int(found[1]) if found[1] else 0
            return Code(status, code or _of_kind(reply, status))
    return Code("", int(reply[1])) if reply else Code()


def status_of(text: str) -> str:
    """The status that a field of a report begins with (`5.1.1 (User unknown)`), else empty."""
    found = _STATUS.search(text[:200])
    return found[0] if found else ""


def generic(status: str) -> bool:
    """Whether a status tells no more than that it failed."""
    return status[2:] in ("", "0.0", "5.0", "3.0", "1.0", "2.0", "4.0") or status[2:4] == "0."


def judged(code: Code) -> Kind | Literal[""]:
    """The class of a permanent failure with these codes, empty where they do not tell."""
    if code.reply in _TAKES_NONE:
        return "hard"
    subject, _, detail = code.status[2:].partition(".")
    if subject and not generic(code.status):
        return _BY_STATUS.get(f"{subject}.{detail}") or _BY_STATUS.get(f"{subject}.*", "")
    return _BY_REPLY.get(code.reply, "") if not code.status else ""


def _of_kind(reply: re.Match[str] | None, status: str) -> int:
    return int(reply[1]) if reply and reply[1][0] == status[0] else 0
