"""Addresses and lists of them: one meaning or none, and what we write reads back the same."""

from __future__ import annotations

import contextlib

from postroad.mail.addresses import match, normalise, parse_address, validate
from postroad.mail.mailboxes import parse_mailboxes, write_mailboxes
from postroad.mail.words import FORBIDDEN
from services.ingest.smtpd.paths import read_path, recipient, sender
from tests.fuzz.taking import text

LISTS = {"team@example.org": "team", "team-owner@example.org": "other"}


def one_input(data: bytes) -> None:
    """An address, a value of To, or the argument of RCPT."""
    typed = text(data)
    address = parse_address(typed)
    if address is not None:
        assert normalise(address.key) == normalise(str(address)) == address.key
        assert str(address).isprintable()
        assert len(str(address).encode()) <= 254
        assert [box.address for box in parse_mailboxes(f"x <{typed}>")[0]] == [address.key]
    with contextlib.suppress(ValueError):
        assert parse_address(validate(typed))
    if found := match(typed, LISTS):
        assert found.slug in ("team", "other", "")

    mailboxes, odd = parse_mailboxes(data)
    assert all(each.isprintable() for each in odd)
    assert all(normalise(box.address) == box.address for box in mailboxes)
    written = write_mailboxes(mailboxes)
    assert not FORBIDDEN.search(written)
    again, odd = parse_mailboxes(written)
    assert [box.address for box in again] == [box.address for box in mailboxes]
    assert not odd or len(written) > 100_000

    path = read_path(typed, "TO:")
    if path is not None:
        assert not FORBIDDEN.search((sender(path) or "") + (recipient(path, "a.example") or ""))
