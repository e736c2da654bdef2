"""The moderator's password in a post: `Approved: PASSWORD` as a field or as the first line of text.

Kept as a salted slow hash (scrypt, RFC 7914, 32 MiB and 0.1 s for a try); the password itself is in
no event and no setting. Whatever claims to be one is taken off every copy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable

from postroad.mail.headers import APPROVAL

SHORTEST, LONGEST = 8, 200  # characters
SALT = 16  # octets
LINES = 10  # of a text that may give passwords

_N, _R, _P, _OCTETS = 1 << 15, 8, 1, 32
_HASH = re.compile(rf"scrypt\${_N}\${_R}\${_P}\$([\w+/]{{22}})==\$([\w+/]{{43}})=", re.ASCII)
_LINE = re.compile(r"\s*+(?:X-)?Approved?\s*+:[ \t\xa0]*+([^\s].*)?", re.IGNORECASE)


def hashed(password: str, salt: bytes) -> str:
    """What is kept of a password, with 16 random octets of salt. Raises ValueError where it is
    too short or could not stand in a mail."""
    password = password.strip()
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise ValueError(f"it must be one line of {SHORTEST} to {LONGEST} characters")
    made = base64.b64encode(_scrypt(password, salt)).decode()
    return f"scrypt${_N}${_R}${_P}${base64.b64encode(salt).decode()}${made}"


def is_hash(text: str) -> bool:
    """Whether this is what `hashed` gives."""
    return _HASH.fullmatch(text) is not None


def is_right(password: str, kept: str) -> bool:
    """Whether this is the password of which `kept` is the hash. Takes 0.1 s."""
    found = _HASH.fullmatch(kept)
    if found is None or len(password) > LONGEST:
        return False
    try:
        salt, made = base64.b64decode(f"{found[1]}=="), base64.b64decode(f"{found[2]}=")
    except binascii.Error:
        return False
    return hmac.compare_digest(_scrypt(password, salt), made)


def claimed(fields: Iterable[tuple[str, str]], lines: Iterable[str]) -> str:
    """The password that a mail gives: in its header (`headers.decoded_fields`), else in the first
    of these lines. Empty where it gives none."""
    for name, value in fields:
        if name in APPROVAL and value:
            return value
    return in_line(next(iter(lines), "")) or ""


def given(fields: Iterable[tuple[str, str]], lines: Iterable[str]) -> tuple[str, ...]:
    """Every password that a mail gives: in its header, and in all the lines that its text begins
    with. A line may give an empty one; a word of the header that is too short for one counts not.
    """
    told = [value for name, value in fields if name in APPROVAL and len(value) >= SHORTEST]
    for line in lines:
        if (password := in_line(line)) is None:
            break
        told.append(password)
    return tuple(dict.fromkeys(told))


def in_line(line: str) -> str | None:
    """The password that a line of text gives, which may be empty; None where it is no such."""
    found = _LINE.fullmatch(line)
    return (found[1] or "").strip() if found else None


def _scrypt(password: str, salt: bytes) -> bytes:
    octets = password.encode("utf-8", "replace")
    return hashlib.scrypt(octets, salt=salt, n=_N, r=_R, p=_P, maxmem=64 << 20, dklen=_OCTETS)
