"""The header scanner: facts that can be shown and stored, and what it scans is what is sent."""

from __future__ import annotations

from postroad.mail.arrived import arrived, postmark
from postroad.mail.automatic import answers_by_itself, automatic
from postroad.mail.headers import decoded_fields, scan
from postroad.mail.identity import body_digest
from postroad.mail.wire import canonical
from postroad.mail.words import FORBIDDEN
from postroad.runtime.clock import envelope
from schemas import codec
from tests.unit.router.mails import MAIL_ID, received

TRUSTED = ("Delivered-To", "To")
BARE = ("bare CR in the headers", "bare LF in the headers")


def one_input(data: bytes) -> None:
    """A whole mail."""
    facts, head = scan(data, TRUSTED)
    assert 0 <= head <= len(data)
    shown = (facts.subject, facts.message_id, facts.date, *facts.list_ids, *facts.oddities)
    assert not any(FORBIDDEN.search(text) for text in shown)
    boxes = (*facts.from_, *facts.reply_to, *facts.to, *facts.cc)
    assert not any(FORBIDDEN.search(box.name + box.address) for box in boxes)

    sent, sent_head = scan(canonical(data), TRUSTED)
    assert (facts.subject, facts.from_, facts.to) == (sent.subject, sent.from_, sent.to)
    assert facts.trusted == sent.trusted
    assert [odd for odd in facts.oddities if odd not in BARE] == list(sent.oddities)
    assert canonical(data[head:]) == canonical(data)[sent_head:]
    assert body_digest(data, head) == body_digest(canonical(data), sent_head)

    stored = codec.encode(envelope([received(facts)], correlation=MAIL_ID))
    assert codec.decode(stored).events == (received(facts),)

    assert not any(FORBIDDEN.search(name + value) for name, value in decoded_fields(data))
    assert arrived(data) is None or postmark(data) == arrived(data)
    assert answers_by_itself(facts).isprintable()
    assert automatic(facts).isprintable()
