"""The mail that a decision is on, as it came in, and whether its From is to be believed."""

from __future__ import annotations

from postroad.mail.authentication import authenticated
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from schemas.road import MailReceived


class Received:
    """What RECEIVED has, read with the eyes of the sources."""

    def __init__(self, broker: Broker, config: Config) -> None:
        self._broker = broker
        self._servers = {source.name: source.authserv_id for source in config.source}

    async def mail(self, subject: str) -> MailReceived | None:
        """The mail of this subject, which may have wildcards; None where it is gone."""
        stored = await self._broker.last("RECEIVED", subject)
        events = stored.envelope().events if stored else ()
        return next((each for each in events if isinstance(each, MailReceived)), None)

    def proved(self, mail: MailReceived) -> bool:
        """Whether the server of its source found that From wrote it."""
        return authenticated(mail.facts, self._servers.get(mail.origin.source, ""))
