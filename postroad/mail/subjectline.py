"""What a subject says, less what replies, forwards, lists and gateways put around it."""

from __future__ import annotations

import re

from postroad.mail.words import FORBIDDEN, decode, encode_unstructured, text_of

NO_SUBJECT = "(no subject)"
LONG = 10_000  # octets of a Subject that is nobody's to read, let alone to encode
# Whatever stands before the prefix of an answer: `Re: `, in any language, and `[tags]`.
_LEAD = re.compile(
    r" ?+(?:[^\s\[\]:\uff1a]{1,20}+(?: ?+(?:\[\d{1,3}\]|\(\d{1,3}\)))? ?+[:\uff1a]"
    r"|\[[^\[\]]{0,100}\])"
)

# `Re: `, `AW[2]: `, `Fwd: ` in the languages of common mail programs, and `[tags]` of lists.
_BEFORE = re.compile(
    r"\s*+(?:(?:re|aw|antw|antwort|sv|vs|vl|ynt|odp|res|resp|ref|rif|ri|r|fw|fwd|wg|tr|rv|enc"
    r"|doorst|vb|vá|ha|ang|na|bls|ats|atb|atg|ynb|ilt|i|pd|fs|továbbítás"
    r"|回复|答复|回覆|转发|轉寄|返信|転送|הועבר|השב|رد|σχετ|απ)"
    r"(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s?[:\uff1a]|\[[^\[\]]{0,100}\])\s*+",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\[[^\[\]]{0,100}\]")


def is_reply(subject: str) -> bool:
    """Whether a decoded subject says that it answers or forwards another: `Re:`, `AW:`, `Fwd:`."""
    at = 0
    while found := _BEFORE.match(subject, at):
        if not found[0].lstrip().startswith("["):
            return True
        at = found.end()
    return False


def bare(subject: str) -> str:
    """A decoded subject without reply and forward prefixes and `[tags]` before it, and without
    tags after it (`[EXTERNAL]`)."""
    at = 0
    while found := _BEFORE.match(subject, at):
        at = found.end()
    text = subject[at:].strip()
    while text.endswith("]") and _AFTER.fullmatch(text, start := max(text.rfind("["), 0)):
        text = text[:start].rstrip()
    return text


def prefixed(value: bytes, prefix: str) -> tuple[str, bytes] | None:
    """A Subject with a list's prefix: text, and the octets of `value` that follow it as they are;
    None where there is nothing to put.

    Encoded words, folding, and 8-bit octets of an unknown charset stay as they stand. Raw UTF-8
    becomes text, to be encoded: not every server takes it. A prefix stands once: nothing is put
    where it leads already, be it behind `Re:` or `AW:`.
    """
    prefix = " ".join(prefix.split())
    if not prefix or _leads(prefix, _plain(value)):
        return None
    if not value:
        return f"{prefix} {NO_SUBJECT}", b""
    if not value.isascii() and len(value) < LONG and (text := _utf8(value)):
        return f"{prefix} {text}", b""
    if value.startswith(b"=?"):  # readers drop the blank between two encoded words
        return encode_unstructured(f"{prefix} =?").removesuffix(" =?"), value
    return prefix, value


def _utf8(value: bytes) -> str:
    """The text of octets that are UTF-8, on one line without control characters; else empty."""
    try:
        text = value.replace(b"\r\n", b"").decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return FORBIDDEN.sub("", text)


def _plain(value: bytes) -> str:
    text = text_of(value.replace(b"\r", b"").replace(b"\n", b""))
    return " ".join(decode(text, 1_000).split())


def _leads(prefix: str, text: str) -> bool:
    """Whether the prefix leads `text`, or comes right after its "Re:" and "[tags]"."""
    prefix, text = prefix.casefold(), text.casefold()
    at = 0
    while not text.startswith(prefix, at):
        lead = _LEAD.match(text, at)
        if lead is None:
            return False
        at = lead.end()
        at += text.startswith(" ", at)
    return True
