"""All that is asked of others about a mail before the rules judge it, at once."""

from __future__ import annotations

from dataclasses import replace

from postroad.runtime.blobs import RawMail
from postroad.runtime.config import Config
from postroad.runtime.health import Health
from projections.lists import List
from schemas.road import MailReceived
from services.router.context import Looked
from services.router.lookups.dmarc import Policies
from services.router.lookups.nameserver import NameServer


class Lookups:
    """Asks what the settings of lists, and of the installation, want to know."""

    def __init__(self, config: Config, health: Health) -> None:
        self._policies: Policies | None = None
        if config.dns.resolver != "none":
            seconds = config.dns.seconds
            server = NameServer(config.dns.resolver, seconds, health)
            signed = (domain.name for domain in config.domain if domain.signing)
            self._policies = Policies(server, seconds, signed)

    async def add(
        self, looked: Looked, mail: MailReceived, known: List, raw: RawMail, authserv_id: str
    ) -> Looked:
        """What is known of a mail to this list, with what others say of it. Raises Busy where too
        many wait for that, Retry and Reject as `get_raw` does."""
        if self._policies is None:
            return looked
        found = await self._policies.look(mail, known, authserv_id)
        if found and found.signers:
            found = replace(found, head=(await raw.start())[: mail.raw.head])
        return replace(looked, dmarc=found) if found else looked

    async def aclose(self) -> None:
        """Ask no more."""
        if self._policies:
            self._policies.close()
