"""ARC: what a chain that came in may be continued with."""

from __future__ import annotations

import pytest

from postroad.mail.arc import Chain, Cv, Seal, chain, validity
from postroad.mail.authentication import Result
from postroad.mail.dkim import Message
from tests.peers.signingkeys import rsa_key

POST = b"From: a@b.c\r\nDate: Sat, 21 Nov 2026 06:00:00 +0000\r\n\r\n"


def one(number: int, cv: str) -> bytes:
    """A set, as large providers write theirs."""
    return (
        f"ARC-Seal: i={number}; a=rsa-sha256; t=1; cv={cv};\r\n        d=b.c; s=x;\r\n  b=AA==\r\n"
        f"ARC-Message-Signature: i={number}; a=rsa-sha256; c=relaxed/relaxed; d=b.c; s=x;\r\n"
        f"        h=from : i=z:cv; bh=AA==;\r\n        b=AA==\r\n"
        f"ARC-Authentication-Results: i={number}; mx.b.c;\r\n       dkim=pass header.i=@b.c\r\n"
    ).encode()


def results(text: str) -> tuple[Result, ...]:
    """Results without properties, from "arc=pass spf=fail"."""
    pairs = (each.split("=") for each in text.split())
    return tuple(Result(method, result, {}) for method, result in pairs)


def sealed(block: bytes, said: str = "") -> tuple[str, str]:
    """The new set on a mail, unfolded, and the reason for none."""
    seal = Seal(rsa_key(), Message(block), "mx.x.y", results(said), 7)
    return seal.over(bytes(32)).replace(b"\r\n ", b" ").decode(), seal.reason


@pytest.mark.parametrize(
    ("sets", "last", "whole", "failed"),
    [
        (b"", 0, False, False),
        (one(1, "none"), 1, True, False),
        (one(2, "pass") + one(1, "none"), 2, True, False),
        (one(1, "none") + one(2, "pass"), 2, True, False),
        (one(1, "pass"), 1, False, False),
        (one(2, "pass"), 2, False, False),
        (one(1, "none") * 2, 1, False, False),
        (one(3, "pass") + one(1, "none"), 3, False, False),
        (one(2, "fail") + one(1, "none"), 2, False, True),
        (one(1, "none").partition(b"ARC-Auth")[0], 1, False, False),
        (b"ARC-Seal: nonsense\r\n", 0, False, False),
    ],
)
def test_the_shape_of_a_chain(sets: bytes, last: int, whole: bool, failed: bool) -> None:
    """Three fields for each instance from 1, each once, the first cv=none and the others cv=pass
    (RFC 8617 5.2), in whatever order they stand."""
    found = chain(Message(sets + POST))
    assert (found.last, bool(found.sets), found.failed) == (last, whole, failed)


@pytest.mark.parametrize(
    ("sets", "said", "cv"),
    [
        (b"", "", "none"),
        (b"", "arc=pass", "none"),
        (one(1, "none"), "arc=pass", "pass"),
        (one(1, "none"), "arc=fail", "fail"),
        (one(1, "none"), "dkim=pass", None),
        (one(1, "none"), "arc=pass arc=fail", None),
        (one(1, "pass"), "arc=pass", "fail"),
        (one(2, "fail") + one(1, "none"), "arc=fail", None),
    ],
)
def test_the_word_of_the_trusted_server_is_passed_on(sets: bytes, said: str, cv: Cv | None) -> None:
    """A seal says pass only where the server said so of a chain that is one; of what nobody has
    validated, and behind a failure, there is no seal."""
    found, reason = validity(chain(Message(sets + POST)), results(said))
    assert found == cv
    assert bool(reason) == (cv is None)


def test_a_chain_ends_at_fifty() -> None:
    """No set 51 is ever made (RFC 8617 4.2.1)."""
    assert validity(Chain((b"x",) * 150, 50), results("arc=pass"))[0] is None
    assert validity(Chain((b"x",) * 147, 49), results("arc=pass"))[0] == "pass"


def test_a_new_set() -> None:
    """Its number is the next; all three fields stand on top, the seal first."""
    fields, _ = sealed(one(1, "none") + POST, "arc=pass")
    names = [line.partition(":")[0] for line in fields.splitlines()]
    assert names == ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
    assert fields.count(": i=2; ") == 3
    assert " cv=pass;" in fields


def test_only_what_was_found_is_attested() -> None:
    """The results of four methods, with plain properties: nothing that an author could have
    written into a comment or a quoted value; none where nothing was found."""
    found = (
        Result("dkim", "pass", {"header.d": "b.c", "reason": "x", "header.b": "a;arc=pass"}),
        Result("x-spam", "no", {}),
        Result("spf", "fail", {"smtp.mailfrom": "a@b.c"}),
    )
    fields = Seal(rsa_key(), Message(POST), "mx.x.y", found, 7).over(bytes(32))
    told = fields.partition(b"ARC-Authentication-Results: ")[2].split()
    assert told == b"i=1; mx.x.y; dkim=pass header.d=b.c; spf=fail smtp.mailfrom=a@b.c".split()
    assert sealed(POST)[0].split("Results: ")[1].split() == ["i=1;", "mx.x.y;", "none"]
