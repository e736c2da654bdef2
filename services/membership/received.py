"""The mail that a decision is on, as it came in, and whether its From is to be believed."""

from __future__ import annotations

from collections.abc import Iterable

from postroad.mail.authentication import authenticated
from postroad.runtime.broker import Broker
from postroad.runtime.config import Config
from schemas.road import MailReceived, RuleHit
from services.membership.directory import Directory
from services.membership.letters.silence import silence


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

    def silence(self, hits: Iterable[RuleHit], mail: MailReceived | None, lists: Directory) -> str:
        """Why the author of a mail that these rules stopped is told nothing (see `silence`)."""
        authors = mail.facts.from_ if mail else ()
        of_list = any(lists.means_list(box.address) for box in authors)
        return silence(hits, mail, proved=mail is not None and self.proved(mail), of_list=of_list)
