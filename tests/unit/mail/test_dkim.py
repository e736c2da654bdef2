"""DKIM keys and signatures; that they verify is tested where copies are made."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroad.mail.dkim import LASTS, Message, Signature, tag_field, unfit
from tests.peers.signingkeys import ed25519_key, rsa_key

BLOCK = b"From: a@b.c\r\nDate: Sat, 21 Nov 2026 06:00:00 +0000\r\nSubject: x\r\n"


def tags(field: bytes) -> dict[str, str]:
    """The tags of a signature."""
    value = re.sub(rb"\s", b"", field.partition(b":")[2]).decode()
    return dict(each.split("=", 1) for each in value.split(";"))


def signature(block: bytes = BLOCK, own: tuple[str, ...] = ()) -> dict[str, str]:
    """The tags of an Ed25519 signature over this header block."""
    signature = Signature.of(ed25519_key(), Message(block + b"\r\n"), own, 1_000)
    return tags(signature.over(b"h" * 32).field())


def test_what_is_published() -> None:
    """DNS gets the public key alone: RSA as SubjectPublicKeyInfo, Ed25519 as its 32 octets."""
    rsa, ed25519 = rsa_key(), ed25519_key()
    assert rsa.name == "rsa._domainkey.lists.example"
    assert rsa.record.startswith("v=DKIM1; k=rsa; p=")
    load_der_public_key(base64.b64decode(rsa.record.rpartition("=p=")[2].partition("p=")[2]))
    assert ed25519.record.startswith("v=DKIM1; k=ed25519; p=")
    assert len(base64.b64decode(ed25519.record.partition("p=")[2])) == 32


def test_nothing_can_be_added_to_what_readers_see() -> None:
    """What stands there is named once more than it does, what does not stand there once; there
    is no l=, and the signature ends before somebody replays it for ever."""
    found = signature()
    assert found["h"] == "from:from:subject:subject:to:cc:reply-to:date:date"
    assert "l" not in found
    assert base64.b64decode(found["bh"]) == b"h" * 32
    assert int(found["x"]) == int(found["t"]) + LASTS


def test_a_copys_own_fields_come_last() -> None:
    """List-Unsubscribe and List-Unsubscribe-Post are signed (RFC 8058 4), behind what is common."""
    found = signature(own=("List-Unsubscribe", "List-Unsubscribe-Post"))
    own = "list-unsubscribe:list-unsubscribe:list-unsubscribe-post:list-unsubscribe-post"
    assert found["h"].endswith(f":{own}")


def test_trace_and_foreign_signatures_are_not_signed() -> None:
    """What the next server adds or takes off, as it must, breaks nothing."""
    more = b"Received: x\r\nDKIM-Signature: v=1\r\nAuthentication-Results: x\r\nReturn-Path: <>\r\n"
    assert signature(more + BLOCK)["h"] == signature()["h"]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (BLOCK + b"\r\n", ""),
        (BLOCK + b"Received: x\r\nReceived: y\r\n\r\n", ""),
        (BLOCK + "To: Zoë\r\n\r\n".encode("latin-1"), ""),
        (b"Subject: x\r\n\r\n", "it has no From"),
        (b"From: a@b.c\r\n\r\n", "it has no Date"),
        (BLOCK + b"FROM: d@e.f\r\n\r\n", "it has more than one From"),
        (
            BLOCK + b"content-type: x\r\ncontent-type: y\r\n\r\n",
            "it has more than one Content-Type",
        ),
        (BLOCK + b"To : x\r\n\r\n", "a space before a colon in its header"),
        (BLOCK + b"To: \0x\r\n\r\n", "a control character in its header"),
        (BLOCK, "its header has no end"),
        (BLOCK + b"broken off\r\n\r\n", "its header has no end"),
        (b"", "its header has no end"),
    ],
)
def test_what_is_not_signed(block: bytes, reason: str) -> None:
    """Nobody vouches for a mail that two readers read in two ways."""
    assert unfit(block) == reason


def test_lines_are_short() -> None:
    """A signature is folded at 76 characters between tags, and never within a name."""
    field = tag_field("X", [("h", ":".join(["list-unsubscribe"] * 20)), ("b", "")])
    assert max(map(len, field.split(b"\r\n"))) <= 76
    assert field.replace(b"\r\n ", b"").startswith(b"X: h=list-unsubscribe:list-")
    assert field.endswith(b";\r\n b=")
