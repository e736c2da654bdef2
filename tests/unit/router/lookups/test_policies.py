"""What the router learns of an author's domain from a name server: each case by real questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from postroad.runtime.errors import Busy
from postroad.runtime.health import Health
from postroad.runtime.telemetry import Telemetry
from schemas.spans import Span, SpanBatch
from services.router.context import Dmarc
from services.router.lookups import seats
from services.router.lookups.dmarc import Policies
from services.router.lookups.nameserver import NameServer
from tests.peers.dns import Dns
from tests.unit.router.mails import mail, the_list

REJECT = '"v=DMARC1; p=reject"'
ZONE = {
    "_dmarc.bank.example TXT": ['"v=DMARC1; p=rej" "ect; sp=none; np=quarantine"'],
    "_dmarc.strict.example TXT": ['"v=DMARC1; p=reject; adkim=s; aspf=s"'],
    "www.bank.example A": ["192.0.2.1"],
    "_dmarc.mild.example TXT": ['"v=DMARC1; p=none"'],
    "_dmarc.testing.example TXT": ['"v=DMARC1; p=quarantine; t=y"'],
    "_dmarc.twice.example TXT": [REJECT, '"v=DMARC1; p=none"'],
    "_dmarc.alias.example CNAME": ["_dmarc.bank.example."],
    "_dmarc.xn--bcher-kva.example TXT": [REJECT],
    "_dmarc.example.org TXT": ['"v=DMARC1; p=reject"'],
    "_dmarc.registry TXT": ['"v=DMARC1; p=reject; psd=y"'],
    "plain.example MX": ["10 mx.plain.example."],
}


class Asking:
    """A name server, and policies that are asked of it."""

    def __init__(self, dns: Dns, seconds: float = 0.4) -> None:
        self.dns = dns
        self.health = Health("router")
        self.telemetry = Telemetry("router")
        self.server = NameServer(dns.address, seconds, self.health, self.telemetry)
        self.policies = Policies(self.server, seconds, ["lists.example.org"])

    async def look(self, author: str, *lines: str, **settings: object) -> Dmarc | None:
        """What is learned of a mail of this author to the team."""
        message = mail(f"From: {author}", *lines)
        return await self.policies.look(message, the_list(**settings), "mx.example.org")

    async def policy(self, author: str, **settings: object) -> str:
        """The policy alone; empty where nobody was asked."""
        found = await self.look(author, **settings)
        return found.policy if found else ""

    def told(self) -> list[tuple[bool, str]]:
        """What the health says of name servers."""
        return [(f.ok, f.detail) for f in self.health.answer().facts if f.kind == "lookup"]


async def spans(telemetry: Telemetry) -> list[Span]:
    """Those that ended since they were asked for last."""
    found: list[Span] = []

    async def store(_: str, data: bytes) -> None:
        found.extend(msgspec.json.decode(data, type=SpanBatch).spans)

    await telemetry.flush(store)
    return found


@pytest.fixture
async def here() -> AsyncIterator[Asking]:
    """A name server that has the ZONE."""
    async with Dns.start(ZONE) as dns:
        asking = Asking(dns)
        yield asking
        asking.policies.close()


@pytest.mark.parametrize(
    ("author", "policy"),
    [
        ("ann@bank.example", "reject"),
        ("ANN@BANK.EXAMPLE", "reject"),
        ("ann@www.bank.example", "none"),
        ("ann@gone.bank.example", "quarantine"),
        ("ann@mild.example", "none"),
        ("ann@testing.example", "none"),
        ("ann@twice.example", "none"),
        ("ann@alias.example", "reject"),
        ("ann@bücher.example", "reject"),
        ("ann@plain.example", "none"),
        ("ann@nowhere.example", "none"),
        ("ann@some.registry", "reject"),
        ("ann@strict.example, bob@mild.example", "reject"),
        ("ann@[192.0.2.1]", ""),
        ("nobody", ""),
    ],
)
async def test_the_policy_of_the_author(here: Asking, author: str, policy: str) -> None:
    """As receivers find it: by the walk, aliases and IDN included; the strictest of several."""
    assert await here.policy(author) == policy


async def test_nobody_is_asked_where_it_does_not_matter(here: Asking) -> None:
    """Not for lists that do nothing about it, nor about the list's own domain."""
    assert await here.look("ann@bank.example", dmarc_mitigate_action="no_mitigation") is None
    assert await here.look("ann@bank.example", anonymous_list=True) is None
    assert await here.look("ann@lists.example.org") is None
    assert here.dns.asked == []


async def test_a_question_is_asked_once(here: Asking) -> None:
    """A hundred mails of a domain, and the next hundred, are one question for each step up."""
    for _ in range(2):
        await asyncio.gather(*(here.policy("ann@plain.example") for _ in range(20)))
    assert sorted(here.dns.asked) == ["_dmarc.example TXT", "_dmarc.plain.example TXT"]


async def test_a_name_that_does_not_exist_is_no_error(here: Asking) -> None:
    """Most domains have no record: traces with such a question are like all others; one whose
    server fails has failed."""
    assert await here.policy("ann@nowhere.example") == "none"
    assert {span.error for span in await spans(here.telemetry)} == {""}
    here.dns.broken |= {"_dmarc.bank.example"}
    assert await here.policy("ann@bank.example") == "unknown"
    assert all(span.error for span in await spans(here.telemetry))


@pytest.mark.parametrize(
    ("author", "record", "policy"),
    [
        ("ann@example.org", REJECT, "none"),
        ("ann@example.org", '"v=DMARC1; p=reject; adkim=s"', "none"),
        ("ann@example.org", '"v=DMARC1; p=reject; aspf=s"', "none"),
        ("ann@example.org", '"v=DMARC1; p=reject; adkim=s; aspf=s"', "reject"),
        ("ann@mail.example.org", REJECT, "none"),
    ],
)
async def test_domains_of_our_own_are_exempt(
    here: Asking, author: str, record: str, policy: str
) -> None:
    """What proves that copies are of lists.example.org proves it for all of example.org, unless
    that wants the very same name."""
    here.dns.records["_dmarc.example.org TXT"] = [record]
    assert await here.policy(author) == policy


def results(*signers: str, server: str = "mx.example.org") -> str:
    """The field of our mail server that found these signatures good."""
    return f"Authentication-Results: {server}; " + "; ".join(
        f"dkim=pass header.d={signer}" for signer in signers
    )


@pytest.mark.parametrize(
    ("author", "line", "signers"),
    [
        ("ann@bank.example", results("bank.example"), {"bank.example"}),
        ("ann@bank.example", results("mail.bank.example"), {"mail.bank.example"}),
        ("ann@gone.bank.example", results("bank.example"), {"bank.example"}),
        ("ann@strict.example", results("strict.example"), {"strict.example"}),
        ("ann@strict.example", results("mail.strict.example"), set()),
        ("ann@bank.example", results("relay.example", "bank.example"), {"bank.example"}),
        ("ann@bank.example", results("notbank.example"), set()),
        ("ann@bank.example", results("example"), set()),
        ("ann@bank.example", results("bank.example", server="evil.example"), set()),
        ("ann@bank.example", "Authentication-Results: mx.example.org; dmarc=pass", set()),
        ("ann@bank.example", results("bank.example").replace("pass", "fail"), set()),
    ],
)
async def test_whose_signatures_count(
    here: Asking, author: str, line: str, signers: set[str]
) -> None:
    """Those of the author's organisation, or with adkim=s of that very domain, that the server we
    trust found good."""
    found = await here.look(author, line)
    assert found is not None
    assert found.signers == signers


async def test_a_domain_that_does_not_answer_is_unknown(here: Asking) -> None:
    """SERVFAIL and silence alike; the name server itself is well."""
    here.dns.broken |= {"_dmarc.bank.example"}
    here.dns.silent |= {"_dmarc.mild.example"}
    assert await here.policy("ann@bank.example") == "unknown"
    assert await here.policy("ann@mild.example") == "unknown"
    assert await here.policy("ann@strict.example") == "reject"
    assert all(ok for ok, _ in here.told())


async def test_a_name_server_that_is_silent_is_not_waited_for(here: Asking) -> None:
    """The first mail waits its time; the others of any domain do not; the health says why."""
    here.dns.silent.add(".")
    loop = asyncio.get_running_loop()
    assert await here.policy("ann@bank.example") == "unknown"
    while not here.told():  # it is given up on once it says nothing to the simplest question
        await here.policy("ann@mild.example")
    began = loop.time()
    for number in range(300):
        assert await here.policy(f"ann@domain{number}.example") == "unknown"
    assert loop.time() - began < 1
    assert here.told() == [
        (False, "does not answer: what authors' domains want (DMARC) is not known")
    ]


async def test_no_more_mails_wait_than_the_router_can_spare(here: Asking) -> None:
    """Others are given back for a moment, so that mail of domains that are known goes on."""
    here.dns.silent |= {f"_dmarc.domain{number}.example" for number in range(seats.MOST)}
    waiting = [
        asyncio.ensure_future(here.policy(f"ann@domain{number}.example"))
        for number in range(seats.MOST)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await here.policy("ann@bank.example")
    assert set(await asyncio.gather(*waiting)) == {"unknown"}
    assert await here.policy("ann@bank.example") == "reject"
