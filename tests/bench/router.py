"""The router, with every rule on: how many mails a second one core decides on.

Mails of 4 KB by a member, each a post. The list looks for ten patterns in their headers and names
strangers, and people who are banned, by ten patterns each: no mail is looked at for less.

Alone, the decision takes bytes of `mail.received` and of the mail and gives bytes of `mail.routed`,
in this process. On the road, mails lie in RAW and their `mail.received` is published as fast as the
broker takes them; the clock runs from the broker's stamp of the first decision to that of the last.
Nobody gets copies, so that the sender is idle. Both are told by seconds of the router's CPU; by the
clock the road is as fast as the broker syncs: two messages of the router a mail, one of membership.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TypeVar

import msgspec

from postroad.mail.addresses import Match
from postroad.mail.headers import decoded_fields, scan
from postroad.mail.identity import body_digest
from postroad.mail.opening import opening
from postroad.runtime.broker import BATCH_LIMIT, Message
from postroad.runtime.clock import envelope, new_id
from projections.lists import List
from schemas import codec, subjects
from schemas.commands import Author
from schemas.lists import ListSettings
from schemas.mail import RawRef
from schemas.road import MailReceived, Origin
from services.router.context import Looked
from services.router.decider import decide
from tests.bench import processes
from tests.bench.fanouts import ROUNDS
from tests.bench.figures import Figure
from tests.bench.road import SOURCE, Road, mail
from tests.bench.yardsticks import Bound
from tests.peers.smtpsink import SmtpSink

ALONE, ON_THE_ROAD = 3_000, 5_000  # mails a round
NEED = Bound(2_000, at_least=True)
LIST, ANNA = "rules@example.org", "anna@example.net"
SETTINGS = {
    "header_matches": [f"discard Subject: (lottery|casino|prize){n}.*(win|won)" for n in range(10)],
    "bans": [rf"^.*\.spam{n}\.example$" for n in range(10)],
    "discard_these_nonmembers": [rf"^[0-9]+@mail{n}\.example$" for n in range(10)],
    "require_explicit_destination": ["true"],
}

T = TypeVar("T")


async def measure() -> AsyncIterator[Figure]:
    """Mails a second, decided alone and on the road."""
    rates = [_alone() for _ in range(ROUNDS)]
    yield Figure.median("router: decisions alone, all rules on", rates, "mails/s", need=NEED)
    async with SmtpSink.start() as sink, Road.start(sink.port) as road:
        typed = [f"{name}+={value}" for name, values in SETTINGS.items() for value in values]
        typed = [each.replace("destination+=", "destination=") for each in typed]
        await road.cli("list", "create", LIST)
        await road.cli("list", "set", LIST, *typed)
        await road.cli("member", "add", LIST, ANNA, "--confirmed")
        await road.cli("member", "set", LIST, ANNA, "delivery_mode=none")
        rates, cpu = [], []
        for number in range(3):
            rate, spent = await _on_the_road(road, number)
            rates.append(rate)
            cpu.append(spent)
        cores = [ON_THE_ROAD / each["router"] for each in cpu]
        yield Figure.median("router: mails for a second of its CPU", cores, "mails/s", need=NEED)
        yield Figure.median("router: on the road", rates, "mails/s", cpu=cpu)


def _alone() -> float:
    """Mails a second of CPU."""
    several = {name: tuple(values) for name, values in SETTINGS.items() if len(values) > 1}
    settings = msgspec.convert(several | {"require_explicit_destination": True}, ListSettings)
    known = List(slug="rules", address=LIST, settings=settings, seq=9)
    author = Author(person="a1" * 12, roles=("member",))
    mails = [mail(number, LIST) for number in range(ALONE)]
    events = [codec.encode(envelope([_received(new_id(), data)], correlation="")) for data in mails]
    to, began = Match("rules"), time.process_time()
    for event, data in zip(events, mails, strict=True):
        (received,) = codec.decode(event).events
        assert isinstance(received, MailReceived)
        looked = Looked(fields=decoded_fields(data))
        kind, decision = decide(received, to, known, author, looked=looked)
        assert kind == "post"
        codec.encode(envelope([decision], correlation=received.mail_id))
    return ALONE / (time.process_time() - began)


async def _on_the_road(road: Road, number: int) -> tuple[float, dict[str, float]]:
    """Mails a second, and the seconds of CPU that each process used."""
    await road.idle()
    mails = [(new_id(), mail(f"{number}.{n}", LIST)) for n in range(ON_THE_ROAD)]
    raw = [Message(subjects.raw(id_, 0, 0), data, 0) for id_, data in mails]
    for some in batched(raw):
        await road.broker.publish_batch(some)
    received = [
        Message(subjects.received(SOURCE, id_), _encoded(id_, _received(id_, data)), 0)
        for id_, data in mails
    ]
    last = await road.broker.last("ROUTED", "mail.routed.post.>")
    before = processes.cpu(road.pids)
    for some in batched(received):
        await road.broker.publish_batch(some)
    await road.idle()
    spent = processes.spent(before, processes.cpu(road.pids))
    times = [
        stored.time.timestamp()
        async for stored in road.broker.scan(
            "ROUTED", "mail.routed.post.>", last.seq + 1 if last else 1
        )
    ]
    assert len(times) == ON_THE_ROAD, "a mail was not routed as a post"
    return ON_THE_ROAD / (max(times) - min(times)), spent


def batched(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at once as the broker takes."""
    return (things[at : at + BATCH_LIMIT] for at in range(0, len(things), BATCH_LIMIT))


def _received(mail_id: str, data: bytes) -> MailReceived:
    """As ingest tells of it."""
    facts, head = scan(data)
    raw = RawRef(
        mail_id=mail_id,
        chunks=1,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        head=head,
    )
    return MailReceived(
        mail_id=mail_id,
        origin=Origin(source=SOURCE),
        raw=raw,
        facts=facts,
        body_sha256=body_digest(data, head),
        opening=opening(data, facts.subject),
    )


def _encoded(mail_id: str, event: MailReceived) -> bytes:
    return codec.encode(envelope([event], correlation=mail_id, actor="service:bench"))
