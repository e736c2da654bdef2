"""Every mail of the corpora gets a verdict: no input makes the router raise, or stops it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from postroad.mail.addresses import Match
from postroad.mail.headers import scan
from postroad.runtime.clock import envelope
from schemas import codec
from schemas.road import MailStopped, PostRouted
from services.router import decider
from services.router.recipients import recipients
from tests.unit.router.mails import MEMBER, STRANGER, received, the_list

TRUSTED = ("Delivered-To", "X-Original-To", "Envelope-To")
SECONDS = 1.0  # for one mail, from its bytes to the stored decision


@pytest.mark.parametrize("name", ["spamassassin", "mime4j", "mikel", "stalwart", "dsn"])
def test_every_real_mail_is_posted_or_held(corpora: Path, name: str) -> None:
    """A member's mail to a list goes out or waits for a moderator; none is dropped, none takes
    longer than a second, and each decision is one that can be stored and read back."""
    mails = sorted(path for path in (corpora / name).rglob("*") if path.is_file())
    assert mails
    known = the_list()
    for path in mails:
        data = path.read_bytes()
        began = time.process_time()
        facts, _ = scan(data, TRUSTED)
        mail = received(facts, envelope_to=(known.address,))
        (to,) = recipients(mail, {known.address: known.slug})
        _, event = decider.decide(mail, to, known, MEMBER)
        stored = codec.encode(envelope([event], correlation=mail.mail_id))
        assert time.process_time() - began < SECONDS, path.name
        assert codec.decode(stored).events == (event,), path.name
        assert isinstance(event, PostRouted) or (
            isinstance(event, MailStopped) and event.verdict == "held" and event.hits
        ), path.name


def test_a_strangers_corpus_never_reaches_a_list(corpora: Path) -> None:
    """With the defaults, nothing that comes from outside goes out without a moderator."""
    for path in (corpora / "spamassassin").rglob("*"):
        if path.is_file():
            mail = received(scan(path.read_bytes())[0])
            kind, _ = decider.decide(mail, Match("team"), the_list(), STRANGER)
            assert kind == "held", path.name
