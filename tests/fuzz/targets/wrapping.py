"""DMARC's two ways: a mail within a mail holds what it held, and a signature survives or not."""

from __future__ import annotations

from postroad.mail.edits import apply, edit
from postroad.mail.headers import scan
from postroad.mail.listheaders import cleansed
from postroad.mail.structure import Unreadable, read
from postroad.mail.survival import survives
from postroad.mail.wire import canonical
from postroad.mail.wrapping import wrapped

DOMAINS = frozenset(("example.net",))
NAMING = (edit("set", "Subject", "other"),)


def one_input(data: bytes) -> None:
    """A whole mail."""
    head = scan(data)[1]
    outer, body = wrapped(data, head)
    facts, found = scan(outer)
    assert found == body
    assert facts.content_type == "message/rfc822"
    inner = outer[body:]
    assert inner.endswith(data[head:])
    assert inner == apply(canonical(data[:head]), cleansed()) + data[head:]
    before = scan(inner)[0]
    assert (facts.from_, facts.to, facts.subject) == (before.from_, before.to, before.subject)
    try:
        assert read(outer).type == "message/rfc822"
    except Unreadable as error:
        held = str(error)
    else:
        held = ""
    assert held.isprintable()

    block = data[:head]
    whole = survives(block, (), DOMAINS)
    assert survives(block, NAMING, DOMAINS) <= whole
    assert not survives(block, (), ())
