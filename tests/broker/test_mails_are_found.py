"""Finding mails in the streams: by id, by its beginning, by Message-ID; the newest first."""

from __future__ import annotations

import pytest

from postroad.cli import mails
from postroad.cli.mails import mail_id, newest, one_of
from postroad.cli.spanreader import of_id, read
from postroad.runtime.broker import Broker
from postroad.runtime.clock import envelope
from postroad.runtime.errors import PostroadError, UsageError
from postroad.runtime.settings import Telemetry as Settings
from postroad.runtime.telemetry import Telemetry
from schemas import codec, subjects
from schemas.mail import HeaderFacts, RawRef
from schemas.road import MailReceived, Origin, PostRouted

pytestmark = pytest.mark.broker


async def receive(broker: Broker, mail: str, message_id: str) -> None:
    """Store a received mail."""
    event = MailReceived(
        mail_id=mail,
        origin=Origin(source="imap"),
        raw=RawRef(mail_id=mail, chunks=1, size=1, sha256="", head=0),
        facts=HeaderFacts(message_id=message_id),
    )
    data = codec.encode(envelope([event], correlation=mail))
    await broker.publish(subjects.received("imap", mail), data, expect=0)


def numbered(number: int) -> str:
    """A mail id that begins with its number in eight digits."""
    return f"{number:08x}" + "0" * 24


async def test_a_mail_that_is_deleted_is_found_by_what_was_decided(broker: Broker):
    """By its first digits and its Message-ID, as long as ROUTED has it."""
    post = PostRouted(
        mail_id=numbered(7),
        list="team",
        raw=RawRef(mail_id=numbered(7), chunks=1, size=1, sha256="", head=0),
        message_id="<seven@x.org>",
    )
    data = codec.encode(envelope([post], correlation=numbered(7)))
    await broker.publish(subjects.routed("post", "team", numbered(7)), data, expect=0)
    assert await mail_id(broker, "00000007") == numbered(7)
    assert await mail_id(broker, "seven@x.org") == numbered(7)


async def test_a_mail_is_found_however_it_is_named(broker: Broker):
    """A whole id is taken as it is; its first digits and a Message-ID are looked up."""
    for number in range(1, 4):
        await receive(broker, numbered(number), f"m{number}@example.net")
    assert await mail_id(broker, numbered(77).upper()) == numbered(77)
    assert await mail_id(broker, "00000002") == numbered(2)
    assert await mail_id(broker, "<m3@example.net>") == numbered(3)


async def test_of_several_with_one_message_id_it_is_the_post(broker: Broker):
    """A duplicate that was discarded stands in nobody's way; for a moderator it is what was held.
    Where that does not tell, what was decided stands beside each id."""
    for number, kind in ((1, "discarded"), (2, "post"), (3, "held")):
        id_ = numbered(number)
        await receive(broker, id_, "same@example.net")
        raw = RawRef(mail_id=id_, chunks=1, size=1, sha256="", head=0)
        event = PostRouted(mail_id=id_, list="team", raw=raw, message_id="<same@example.net>")
        data = codec.encode(envelope([event], correlation=id_))
        await broker.publish(f"mail.routed.{kind}.team.{id_}", data, expect=0)
    assert await mail_id(broker, "same@example.net") == numbered(2)
    assert await mail_id(broker, "same@example.net", kind="held") == numbered(3)
    with pytest.raises(PostroadError, match=f"{numbered(1)} .discarded, team., {numbered(2)} .po"):
        await mail_id(broker, "000000")


async def test_a_letter_among_several_is_called_one(broker: Broker):
    """It never came in, so nothing is ever decided on it; a mail that did still waits for that, and
    of a post it is not the end of its fan-out that tells what it is."""
    for number in (1, 2):
        await receive(broker, numbered(number), f"m{number}@example.net")
    for kind in ("post", "done"):
        await broker.publish(f"mail.routed.{kind}.team.{numbered(2)}", b"")
    several = [numbered(number) for number in (1, 2, 3)]
    with pytest.raises(PostroadError, match=r".not decided on yet., .*.post, team., .*.a letter."):
        await one_of(broker, "000000", several)


async def test_what_means_no_mail_or_several_is_refused(broker: Broker):
    """Unknown, ambiguous and malformed names are refused in a line that says what to give."""
    for number in range(1, 4):
        await receive(broker, numbered(number), "same@example.net")
    with pytest.raises(PostroadError, match="means 3 mails"):
        await mail_id(broker, "000000")
    with pytest.raises(PostroadError, match="means 3 mails"):
        await mail_id(broker, "same@example.net")
    with pytest.raises(PostroadError, match="no recent mail"):
        await mail_id(broker, "other@example.net")
    with pytest.raises(UsageError, match="is no mail"):
        await mail_id(broker, "abc")


async def test_the_newest_come_first_from_any_depth(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
):
    """However far back the matches lie, exactly the latest are found, the newest first."""
    monkeypatch.setattr(mails, "WINDOW", 4)
    for number in range(1, 41):
        await receive(broker, numbered(number), f"m{number}@example.net")
    for most in (1, 3, 7, 40, 100):
        found = await newest(broker, "RECEIVED", mails.RECEIVED, most)
        assert [stored.seq for stored in found] == list(range(40, max(0, 40 - most), -1))
    odd = await newest(broker, "RECEIVED", mails.RECEIVED, 3, lambda stored: stored.seq % 9 == 0)
    assert [stored.seq for stored in odd] == [36, 27, 18]
    assert await newest(broker, "ROUTED", "mail.routed.held.>", 5) == []


async def test_a_trace_is_put_together_from_its_shard(broker: Broker):
    """The spans of one mail are found among those of others, of all services, in order."""
    wanted, other = numbered(1), numbered(2)
    for service in ("ingest", "router"):
        telemetry = Telemetry(service)
        for mail in (wanted, other):
            with telemetry.root(mail, f"{service}.first"), telemetry.span(f"{service}.second"):
                pass

        async def store(subject: str, data: bytes) -> None:
            await broker.publish(subject, data)

        await telemetry.flush(store)
    found = (await read(broker, wanted)).spans
    assert [span.name for span in found] == [
        "ingest.first",
        "ingest.second",
        "router.first",
        "router.second",
    ]
    with pytest.raises(PostroadError, match="no spans"):
        await of_id(broker, numbered(3), Settings())
