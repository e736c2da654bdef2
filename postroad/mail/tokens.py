"""Tokens in addresses: who a bounce is about, who is leaving. Unforgeable, short, lower case.

Each is base32 and survives servers that fold the case of local parts; with the list's name it
fits the 64 octets of a local part. The MAC is BLAKE2b of 64 bits (RFC 7693), keyed by the site and
bound to purpose and list, so a token of one list or purpose is none for another. Reading
compares in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator

VERP_CHARS = 29  # 48 bits post, 32 bits recipient, 64 bits MAC
LEAVE_CHARS = 32  # 96 bits person, 64 bits MAC
_MAC = 8
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 section 6, in lower case
_BY_VALUE = (_DIGITS * 8).encode()


def _halves() -> Iterator[tuple[int, int, int]]:
    """How to part 32 digits of five bits in two, four, and so on, until each has an octet: masks of
    the upper and of the lower half of each part, and by how much to move the upper."""
    for digits in (16, 8, 4, 2, 1):
        half, parts = (1 << 5 * digits) - 1, range(0, 256, 16 * digits)
        lower = sum(half << at for at in parts)
        yield lower << 5 * digits, lower, 3 * digits


_HALVES = tuple(_halves())


class TokenMaker:
    """Makes and reads the tokens of a site: 150,000 VERP tokens a second.

    `key` is the site key (32 random bytes). Keyed hash states are kept per purpose and list, so
    that a token costs one copy of a state and one block.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._states: dict[tuple[str, str], hashlib.blake2b] = {}

    def verp_token(self, list_slug: str, post: int, recipient: int) -> str:
        """The token of one copy: post number (48 bits) and recipient number (32 bits).

        Raises OverflowError where a number is out of range.
        """
        numbers = post.to_bytes(6, "big") + recipient.to_bytes(4, "big")
        return self._token("verp", list_slug, numbers)[:VERP_CHARS]

    def read_verp(self, list_slug: str, token: str) -> tuple[int, int] | None:
        """Post and recipient number of a token we made for this list, else None."""
        numbers = self._read("verp", list_slug, token, VERP_CHARS)
        if numbers is None:
            return None
        return int.from_bytes(numbers[:6], "big"), int.from_bytes(numbers[6:], "big")

    def leave_token(self, list_slug: str, person: str) -> str:
        """The token with which a person (24 hex digits) leaves this list.

        Raises ValueError where `person` is no such id.
        """
        octets = bytes.fromhex(person)
        if len(octets) != 12:
            raise ValueError("a person id has 24 hex digits")
        return self._token("leave", list_slug, octets)

    def read_leave(self, list_slug: str, token: str) -> str | None:
        """The person of a leave token we made for this list, else None."""
        octets = self._read("leave", list_slug, token, LEAVE_CHARS)
        return octets.hex() if octets else None

    def _token(self, purpose: str, list_slug: str, payload: bytes) -> str:
        state = self._states.get((purpose, list_slug))
        if state is None:
            bound = f"postroad {purpose} {list_slug}\0".encode()
            state = hashlib.blake2b(bound, digest_size=_MAC, key=self._key)
            self._states[purpose, list_slug] = state
        mac = state.copy()
        mac.update(payload)
        return _base32((payload + mac.digest()).ljust(20, b"\0"))

    def _read(self, purpose: str, list_slug: str, token: str, chars: int) -> bytes | None:
        if len(token) != chars or not token.isascii():
            return None
        try:
            payload = base64.b32decode(token.upper() + "=" * (-chars % 8))[:-_MAC]
        except binascii.Error:
            return None
        expected = self._token(purpose, list_slug, payload)[:chars]
        return payload if hmac.compare_digest(expected, token.lower()) else None


def _base32(octets: bytes) -> str:
    """The 32 digits of 20 octets, in lower case: 0.7 us, where base64.b32encode takes 1.9. The bits
    are parted in halves, and these again, until each octet has five."""
    bits = int.from_bytes(octets, "big")
    for upper, lower, apart in _HALVES:
        bits = (bits & upper) << apart | bits & lower
    return bits.to_bytes(32, "big").translate(_BY_VALUE).decode()


def bounce_sender(around: tuple[str, str], token: str) -> str:
    """The envelope sender of one copy; `around` as `addresses.around_token` gives it.

    A list without sub-addresses has no place for a token: its own address is the sender.
    """
    before, after = around
    return f"{before}{token}{after}" if after else before


def address_key(site_key: bytes, address: str) -> str:
    """The name of a normalised address in subjects: 64 hex digits that tell nothing of it."""
    return hmac.digest(site_key, b"postroad address\0" + address.encode(), "sha256").hex()
