"""All that is asked of others about a mail before the rules judge it, at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from postroad.mail.headers import decoded_fields
from postroad.mail.spamscore import read
from postroad.runtime.blobs import RawMail
from postroad.runtime.service import Context
from projections.lists import List
from schemas.road import MailReceived
from services.router.context import Dmarc, Looked, Spam
from services.router.lookups.dmarc import Policies
from services.router.lookups.memory import Unanswered
from services.router.lookups.nameserver import NameServer
from services.router.lookups.spamd import SpamFilter


class Lookups:
    """Asks what the settings of lists, and of the installation, want to know."""

    def __init__(self, context: Context) -> None:
        config, health, telemetry = context.config, context.health, context.telemetry
        self._headers = frozenset(name.lower() for name in config.site.spam_headers)
        self._filter = SpamFilter(config.spamd, health, telemetry) if config.spamd else None
        self._policies: Policies | None = None
        if config.dns.resolver != "none":
            seconds = config.dns.seconds
            server = NameServer(config.dns.resolver, seconds, health, telemetry)
            signed = (domain.name for domain in config.domain if domain.signing)
            self._policies = Policies(server, seconds, signed)

    async def add(
        self, looked: Looked, mail: MailReceived, known: List, raw: RawMail, authserv_id: str
    ) -> Looked:
        """What is known of a mail to this list, with what others say of it. Raises Busy where too
        many wait for that, Retry and Reject as `get_raw` does."""
        asks = (self._headers or self._filter) and known.settings.spam_action != "defer"
        if not asks:
            found = await self._dmarc(mail, known, raw, authserv_id)
            return replace(looked, dmarc=found) if found else looked
        found, spam = await asyncio.gather(
            self._dmarc(mail, known, raw, authserv_id), self._spam(looked, raw)
        )
        return replace(looked, dmarc=found, spam=spam)

    async def aclose(self) -> None:
        """Ask no more."""
        if self._policies:
            self._policies.close()

    async def _dmarc(
        self, mail: MailReceived, known: List, raw: RawMail, authserv_id: str
    ) -> Dmarc | None:
        if self._policies is None:
            return None
        found = await self._policies.look(mail, known, authserv_id)
        if found and found.signers:
            return replace(found, head=(await raw.start())[: mail.raw.head])
        return found

    async def _spam(self, looked: Looked, raw: RawMail) -> Spam:
        scores = []
        if self._headers:
            topmost: dict[str, str] = {}  # below may stand what the sender wrote
            for name, value in looked.fields or decoded_fields(await raw.start()):
                if name in self._headers:
                    topmost.setdefault(name, value)
            scores = [read(value) for value in topmost.values()]
        unchecked = False
        if self._filter:
            try:
                scores.append(await self._filter.check(raw.ref.size, raw.whole))
            except Unanswered:
                unchecked = True
        return Spam(scores=tuple(filter(None, scores)), unchecked=unchecked)
