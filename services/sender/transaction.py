"""One message to its recipients: what is asked of a server, and what became of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from postroad.mail.refusals import NUL
from services.sender.answers import Reply

# An address that cannot end its command early or add a parameter to it; quoted local parts
# may hold blanks and brackets (RFC 5321 section 4.1.2).
_PLAIN = re.compile(r'[^\x00-\x20\x7f<>"\\]*')
_QUOTED = re.compile(
    r'"[^"\\\x00-\x1f\x7f]*(?:\\[\x20-\x7e][^"\\\x00-\x1f\x7f]*)*"@[^\x00-\x20\x7f<>"\\]+'
)

_MALFORMED = Reply(501, "5.1.3", "malformed address, not offered to the server", "RCPT")
_MALFORMED_SENDER = Reply(501, "5.1.7", "malformed sender, not offered to the server", "MAIL")
_NUL = Reply(554, "5.6.0", NUL, ".")
_NO_UTF8 = Reply(
    550, "5.6.7", "the address is not ASCII and the server does not offer SMTPUTF8", "RCPT"
)
_NO_UTF8_SENDER = Reply(
    553, "5.6.7", "the sender is not ASCII and the server does not offer SMTPUTF8", "MAIL"
)


Record = Callable[[Iterable[int], int], None]
"""Takes down that these recipients, by index, may have the message from now on (SENDING), or the
code of what the server said in the end."""
SENDING = 1


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One message to one or more recipients.

    `sender` is the envelope sender, "" for the null sender. The pieces of `data` are the
    message in canonical form (CRLF only), dot-stuffed, ending in CRLF, without the final dot.
    Transactions may share pieces. `post` names the post and is the same in every try; `again`
    says that an earlier try may have delivered. `record` takes down what becomes of recipients.
    """

    sender: str
    recipients: Sequence[str]
    data: Sequence[bytes]
    post: str = ""
    again: bool = False
    record: Record | None = None

    def copy_name(self, recipient: str) -> str:
        """32 hexadecimal digits that name a recipient's copy of this post, in every try."""
        named = f"{self.post}\0{recipient}"
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(slots=True)
class Result:
    """What became of a transaction: the final reply for each recipient.

    None means that the server gave no final word on this recipient: with `lost` the message
    may or may not have been taken (in doubt); without, it was not, and is safe to send again.
    `awaited`: the answer may come yet, after the window.
    `data` is the reply to the message, or to the DATA command where that was refused. Who is
    `found` has the copy of an earlier try, and no other.

    `waits` are the seconds that the server took for an answer about a recipient, by index, and
    about the message (-1); `asked` is the recipient whose answer comes next, -1 for all of them,
    None before the sender was answered.
    """

    recipients: list[Reply | None]
    data: Reply | None = None
    lost: bool = False
    awaited: bool = False
    waits: dict[int, float] = field(default_factory=dict)
    asked: int | None = None
    record: Record | None = None
    found: frozenset[int] = frozenset()

    @classmethod
    def of(cls, transaction: Transaction) -> Result:
        """Of a transaction about to begin."""
        return cls([None] * len(transaction.recipients), record=transaction.record)

    @property
    def untried(self) -> bool:
        """Whether all of it can be sent again without the risk of a second copy."""
        return not self.lost and not any(self.recipients)

    def sending(self, recipients: Sequence[int]) -> None:
        """The end of the message is about to be written: these may have it from now on."""
        if self.record is not None:
            self.record(recipients, SENDING)

    def find(self, recipient: int, reply: Reply) -> None:
        """The copy of an earlier try is there. It is not taken down: a successor finds it, too."""
        self.recipients[recipient] = reply
        self.found |= {recipient}

    def leave(self) -> None:
        """Its window ends before its answer: nobody takes down what comes now."""
        self.lost = self.awaited = True
        self.record = None

    def settle(self, recipients: Sequence[int], reply: Reply | None) -> None:
        """This is the last word on these recipients, given by index; None takes it back."""
        for index in recipients:
            self.recipients[index] = reply
        if self.record is not None:
            self.record(recipients, SENDING if reply is None else reply.code)


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server offered in its answer to EHLO. `size` in octets, 0 where it sets no
    limit, None where it does not know SIZE (RFC 1870). `each`: it speaks LMTP, and answers a
    message once for each recipient (RFC 2033 section 4.2)."""

    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    size: int | None = None
    each: bool = False

    @classmethod
    def of(cls, extensions: Mapping[str, str], *, each: bool = False) -> Offers:
        """From EHLO keywords in lower case and their parameters."""
        size = extensions.get("size")
        return cls(
            pipelining="pipelining" in extensions,
            eight_bit="8bitmime" in extensions,
            utf8="smtputf8" in extensions,
            size=None if size is None else int(size) if size.isdecimal() else 0,
            each=each,
        )


def refuse(transaction: Transaction, result: Result, offers: Offers) -> Sequence[int]:
    """Settle what this server cannot take without asking it; the indices left to ask for."""
    everybody = range(len(transaction.recipients))
    if (refusal := _refusal(transaction, offers)) is not None:
        result.settle(everybody, refusal)
        return ()
    refused = False
    for index, address in enumerate(transaction.recipients):
        if not address or not _well_formed(address):
            result.recipients[index], refused = _MALFORMED, True
        elif not (offers.utf8 or address.isascii()):
            result.recipients[index], refused = _NO_UTF8, True
    if not refused:  # nearly always
        return everybody
    return [index for index in everybody if result.recipients[index] is None]


def _refusal(transaction: Transaction, offers: Offers) -> Reply | None:
    """What this server cannot take of it, whoever gets it."""
    if offers.size and (size := _octets(transaction)) > offers.size:
        text = f"message of {size} octets, the server takes {offers.size}; not offered to it"
        return Reply(552, "5.3.4", text, "MAIL")
    for piece in transaction.data:
        if b"\0" in piece:  # unknown to RFC 5321 4.5.2
            return _NUL
    if not _well_formed(transaction.sender):
        return _MALFORMED_SENDER
    return None if offers.utf8 or transaction.sender.isascii() else _NO_UTF8_SENDER


def commands(transaction: Transaction, wanted: Sequence[int], offers: Offers) -> list[bytes]:
    """MAIL, RCPT for each wanted recipient, DATA."""
    recipients = [transaction.recipients[index] for index in wanted]
    mail = f"MAIL FROM:<{transaction.sender}>"
    if offers.size is not None:
        mail += f" SIZE={_octets(transaction)}"
    if offers.eight_bit and not all(map(bytes.isascii, transaction.data)):
        mail += " BODY=8BITMIME"
    if not all(map(str.isascii, (transaction.sender, *recipients))):
        mail += " SMTPUTF8"
    lines = [f"{mail}\r\n".encode()]
    lines += [f"RCPT TO:<{recipient}>\r\n".encode() for recipient in recipients]
    lines.append(b"DATA\r\n")
    return lines


def _octets(transaction: Transaction) -> int:
    return sum(map(len, transaction.data))


def _well_formed(address: str) -> bool:
    return bool(_PLAIN.fullmatch(address) or _QUOTED.fullmatch(address))
