"""What a server's refusal of one recipient says, in words for people who run a list. Pure.

By the enhanced status code (RFC 3463, and the IANA registry of 2026), else by the reply code
(RFC 5321 section 4.2.3). The words never hold what the server wrote.
"""

from __future__ import annotations

# What the sender says of a mail that no server takes, however often it is offered (RFC 5321 4.5.2).
NUL = "there is a NUL octet in the mail; not offered to the server"

# The enhanced code of a copy that was not sent: whoever restored a backup left it out.
RESTORED = "restored"

# What stands behind the first dot of an enhanced code; `*` for every other detail.
_BY_STATUS = {
    "1.1": "the mailbox does not exist",
    "1.2": "the domain does not exist",
    "1.6": "the mailbox has moved, and nobody says where to",
    "1.10": "the domain takes no mail",
    "1.*": "the address is not valid there",
    "2.1": "the mailbox is switched off",
    "2.2": "the mailbox is full",
    "2.3": "the mail is too large for the mailbox",
    "2.*": "the mailbox takes no mail",
    "3.4": "the mail is too large for the server",
    "3.*": "the server cannot take this mail",
    "4.1": "the server did not answer",
    "4.4": "the domain has no mail server that can be found",
    "4.*": "the server could not be reached",
    "6.7": "the address is not ASCII, and a server on the way takes only that",
    "6.*": "the server does not take mail of this form",
    "7.*": "the server takes no such mail: it looks like spam, or breaks one of its rules",
}
_PUT_OFF = "the server puts it off: it does so to strangers, or by one of its rules"  # greylisting
_BY_CODE = {
    0: "its domain took no mail, or did not answer, until the copy was given up",
    421: "the server was too busy",
    450: "the mailbox was not available",
    452: "the server had no room",
    550: "the mailbox is not available",
    551: "the mailbox is elsewhere",
    552: "the mailbox is full, or the mail too large",
    553: "the address is not valid there",
    554: "the server does not take this mail",
}


def why(code: int, enhanced: str) -> str:
    """Why a copy was refused, in a few words without a full stop."""
    if enhanced == RESTORED:
        return "left out when a backup was restored, as it may have been sent before"
    subject, _, detail = enhanced.partition(".")[2].partition(".")
    if subject == "7" and code < 500:
        return _PUT_OFF
    if found := _BY_STATUS.get(f"{subject}.{detail}") or _BY_STATUS.get(f"{subject}.*"):
        return found
    if code in _BY_CODE:
        return _BY_CODE[code]
    return "the server could not take it" if code < 500 else "the server refused it"
