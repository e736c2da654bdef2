"""What a source reaches: which of our lists a mail from there is for, and who else there is."""

from __future__ import annotations

from collections.abc import Sequence

from postroad.mail.addresses import Match, match
from postroad.mail.reports import is_report
from postroad.mail.roles import roles, strays
from postroad.runtime.config import Config, Domain, Source
from projections.lists import Directory, List
from schemas import subjects
from schemas.road import MailReceived
from services.router.bounces import Bounces
from services.router.recipients import recipients, sent_to

GONE = Source()  # what is believed of mail whose source is none any more


class Reach:
    """The sources of the settings, and what each may have mail for. A source reaches the lists of
    its domain, or the one it is for, and nothing else: neither by address nor by token."""

    def __init__(self, config: Config, directory: Directory, bounces: Bounces) -> None:
        self.directory = directory
        self.bounces = bounces
        self._sources = {source.name: source for source in config.source}
        self._domains = {domain.name.lower(): domain for domain in config.domain}

    def source(self, mail: MailReceived) -> Source | None:
        """Where a mail came from; None where the settings no longer have it."""
        return self._sources.get(mail.origin.source)

    @staticmethod
    def domain(source: Source) -> str:
        """The only domain that it reaches lists of, or "" for every one."""
        return (source.domain or source.list.rpartition("@")[2]).lower()

    def lists(self, source: Source) -> Sequence[List]:
        """The open lists it reaches."""
        if source.list:
            slug = self.directory.reach(self.domain(source)).get(source.list.lower())
            return (self.directory[slug],) if slug else ()
        return self.directory.within(self.domain(source))

    def includes(self, source: Source, known: List) -> bool:
        """Whether it reaches this list, open or closed."""
        if source.list:
            return source.list.lower() in known.names
        return self.domain(source) in ("", known.domain)

    def knows_all(self, mail: MailReceived, source: Source) -> bool:
        """Whether every address the mail was sent to is one of a list we know."""
        reach = self.directory.reach(self.domain(source))
        if source.list:
            return source.list.lower() in reach
        told = sent_to(mail, source.user, one_copy=source.one_copy)
        return all((hit := match(address, reach)) and hit.slug for address in told)

    def recipients(self, mail: MailReceived, source: Source) -> tuple[Match, ...]:
        """Which of our lists a mail was sent to, at which address of each, and the domains whose
        owner it is for: a match of no list, with the domain for a token."""
        found = (self._by_token(address, source) for address in self._found(mail, source))
        owned = [name for name in self._roles(mail, source) if self._domains[name].owner]
        to_owners = (Match(subjects.NO_LIST, "owner", name) for name in owned)
        return (*(address for address in found if address), *to_owners)

    def caught(self, mail: MailReceived, source: Source) -> Domain | None:
        """The domain that takes a mail for nobody, where one does."""
        if source.list or self._found(mail, source, closed=True):
            return None
        lists = self.directory.reach(self.domain(source))
        names = strays(self._told(mail, source), lists, self._names(source))
        return next((d for name in names if (d := self._domains[name]).catch_all), None)

    def at(self, address: str, domain: Domain) -> List | None:
        """The open list with this address in a domain."""
        slug = self.directory.reach(domain.name.lower()).get(address.lower())
        return self.directory[slug] if slug else None

    def why_unrouted(self, mail: MailReceived, source: Source | None) -> str:
        """Why this mail is for none of our lists, with what to do about it. Names no address:
        the record outlives the mail."""
        if source is None:
            return f"its source {mail.origin.source!r} is no longer in the settings"
        if source.list and not self.lists(source):
            return (
                "the only list of its source does not exist; create it with "
                "`postroad list create`, then have the mail sent again"
            )
        if not sent_to(mail, source.user):
            return "it names no recipient in To or Cc"
        if any(not hit.slug for hit in self._found(mail, source)):
            return "the token in its address is of none of our lists"
        if is_report(mail.facts):
            return "it is a delivery report or an automatic answer, on no mail that we know"
        if any(hit.slug for hit in self._found(mail, source, closed=True)):
            return "it is for a list that is closed"
        if self._found(mail, source):
            return "it is older than the list it is for; have it sent again"
        if self._roles(mail, source):
            return "it is for whoever runs a domain that has no owner; set owner in its [[domain]]"
        where = f" of {source.domain}" if source.domain else ""
        return (
            f"none of its recipients is a list{where}; create it with `postroad list create`, "
            "then have the mail sent again"
        )

    def _found(
        self, mail: MailReceived, source: Source, *, closed: bool = False
    ) -> tuple[Match, ...]:
        reach = self.directory.reach(self.domain(source), closed=closed)
        bound = reach.get(source.list.lower(), "")
        if source.list and not bound:
            return ()
        return recipients(mail, reach, mailbox=source.user, bound=bound, one_copy=source.one_copy)

    def _by_token(self, to: Match, source: Source) -> Match | None:
        """An address that only its token gives a list; the token of a confirmation is known to
        membership alone."""
        if to.slug:
            return to
        if to.sub == "confirm":
            return Match(subjects.NO_LIST, to.sub, to.token)
        slug = self.bounces.list_of(to, self.lists(source))
        return Match(slug, to.sub, to.token) if slug else None

    def _roles(self, mail: MailReceived, source: Source) -> tuple[str, ...]:
        if source.list:
            return ()
        lists = self.directory.reach(self.domain(source))
        return roles(self._told(mail, source), lists, self._names(source))

    def _told(self, mail: MailReceived, source: Source) -> tuple[str, ...]:
        return sent_to(mail, source.user, one_copy=source.one_copy)

    def _names(self, source: Source) -> Sequence[str]:
        """The domains it reaches."""
        only = self.domain(source)
        return [name for name in self._domains if only in ("", name)]
