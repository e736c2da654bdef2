"""Tokens in addresses: nothing is one that we did not make, of this list and for this purpose."""

from __future__ import annotations

from postroad.mail.addresses import match, sub_address
from postroad.mail.tokens import LEAVE_CHARS, VERP_CHARS, TokenMaker
from tests.fuzz.taking import text

MAKER = TokenMaker(bytes(32))
TEAM = "team@example.org"


def one_input(data: bytes) -> None:
    """A token, or the numbers that one is made of."""
    token = text(data)
    assert MAKER.read_verp("team", token) is None or again(token)
    assert MAKER.read_leave("team", token) is None or again(token)

    numbers = data.ljust(12, b"\0")
    post, copy = int.from_bytes(numbers[:6], "big"), int.from_bytes(numbers[6:10], "big")
    person = numbers[:12].hex()
    verp, leave = MAKER.verp_token("team", post, copy), MAKER.leave_token("team", person)
    assert (len(verp), len(leave)) == (VERP_CHARS, LEAVE_CHARS)
    assert MAKER.read_verp("team", verp.upper()) == (post, copy)
    assert MAKER.read_leave("team", leave.upper()) == person
    assert MAKER.read_verp("other", verp) is None
    assert MAKER.read_leave("other", leave) is None
    for form in ("dash", "plus"):
        found = match(sub_address(TEAM, "bounces", form, verp), {TEAM: "team"})
        assert found is not None
        assert (found.slug, found.sub, found.token) == ("team", "bounces", verp)
    octet, bit = numbers[10] % VERP_CHARS, "abcdefgh"[numbers[11] % 8]
    forged = verp[:octet] + bit + verp[octet + 1 :]
    assert forged == verp or MAKER.read_verp("team", forged) is None


def again(token: str) -> bool:
    """Whether these octets are a token that we make as well."""
    if found := MAKER.read_verp("team", token):
        return MAKER.verp_token("team", *found) == token.lower()
    person = MAKER.read_leave("team", token)
    return person is not None and MAKER.leave_token("team", person) == token.lower()
