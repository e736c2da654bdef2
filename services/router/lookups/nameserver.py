"""Questions to the name server. One that does not answer at all is not asked for a while, so that
no mail waits for what will not come."""

from __future__ import annotations

import asyncio
import contextlib

import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.txtbase import TXTBase

from postroad.mail.dmarc import Record, read
from postroad.runtime.health import Health
from postroad.runtime.nameservers import resolver
from postroad.runtime.telemetry import Telemetry
from services.router.lookups.memory import Unanswered

LEAST, LONGEST = 60.0, 3_600.0  # seconds that an answer is kept, whatever its TTL says
NOTHING = 300.0  # the same of a name that does not exist
PROBE = 1.0  # seconds for the question whether anybody is there
REST = (30.0, 300.0)  # seconds without a question: at first, and after it failed again and again
_TRUSTED = 10.0  # seconds after an answer in which nobody doubts that it is there
_EXISTS = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.MX)


class NameServer:
    """The one that `named` says (ADDRESS or ADDRESS:PORT), or the system's. `seconds` are for a
    question, with all retries. Raises ValueError where that is no address."""

    def __init__(self, named: str, seconds: float, health: Health, telemetry: Telemetry) -> None:
        self._resolver = resolver(named, seconds)
        self._health = health
        self._telemetry = telemetry
        self._missed = bool(named)  # somebody counts on it: it was named, or has answered
        self._answered = -_TRUSTED
        self._rest = REST[0]
        self._again = 0.0  # when it may be asked again, after it was silent
        self._probing: asyncio.Task[bool] | None = None

    async def record(self, domain: str) -> tuple[Record | None, float]:
        """The DMARC record at `_dmarc.` and this domain, and for how many seconds that holds.
        Raises Unanswered."""
        answer = await self._ask(f"_dmarc.{domain}", dns.rdatatype.TXT)
        if answer is None:
            return None, NOTHING
        strings = (b"".join(r.strings) for r in answer.rrset or () if isinstance(r, TXTBase))
        return read(text.decode("ascii", "replace") for text in strings), _kept(answer)

    async def exists(self, domain: str) -> tuple[bool, float]:
        """Whether mail could come from there: it has an address or a mail server (RFC 9989, 3.2.5
        "non-existent"), and for how many seconds that holds. Raises Unanswered."""
        answers = await asyncio.gather(*(self._ask(domain, kind) for kind in _EXISTS))
        found = [answer for answer in answers if answer is not None]
        return any(answer.rrset for answer in found), min(map(_kept, found), default=NOTHING)

    def close(self) -> None:
        """Ask no more."""
        if self._probing:
            self._probing.cancel()

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        """The answer, or None for a name that does not exist. Raises Unanswered."""
        if self._again:
            if asyncio.get_running_loop().time() >= self._again:
                self._probe()
            raise Unanswered
        try:
            with self._telemetry.span("router.dns"):
                answer = await self._resolve(name, kind)
        except Exception:  # noqa: BLE001  whatever it sends, the mail goes on
            await asyncio.shield(self._probe())
            raise Unanswered from None
        self._works()
        return answer

    async def _resolve(
        self, name: str, kind: dns.rdatatype.RdataType
    ) -> dns.resolver.Answer | None:
        with contextlib.suppress(dns.resolver.NXDOMAIN):  # an answer: the span has not failed
            return await self._resolver.resolve(name, kind, search=False, raise_on_no_answer=False)
        return None

    def _probe(self) -> asyncio.Task[bool]:
        """Find out whether it is the name server that does not answer, or somebody's domain."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.get_running_loop().create_task(self._is_there())
        return self._probing

    async def _is_there(self) -> bool:
        loop = asyncio.get_running_loop()
        if not self._again and loop.time() < self._answered + _TRUSTED:
            return True
        try:
            await self._resolver.resolve(".", "NS", lifetime=PROBE, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            pass
        except (dns.exception.DNSException, OSError):
            self._again = loop.time() + self._rest
            self._rest = min(2 * self._rest, REST[1])
            self._report(ok=not self._missed)
            return False
        self._works()
        return True

    def _works(self) -> None:
        self._answered = asyncio.get_running_loop().time()
        if self._again or not self._missed:
            self._again, self._rest, self._missed = 0.0, REST[0], True
            self._report(ok=True)

    def _report(self, *, ok: bool) -> None:
        """Where there never was any, as on a machine without a network, that is no fault."""
        away = bool(self._again)
        detail = "does not answer: what authors' domains want (DMARC) is not known" if away else ""
        self._health.report("lookup", "name server", ok=ok, detail=detail)


def _kept(answer: dns.resolver.Answer) -> float:
    ttl = answer.chaining_result.minimum_ttl
    return min(max(float(ttl), LEAST), LONGEST)
