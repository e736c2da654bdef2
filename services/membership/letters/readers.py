"""Who reads a letter, and so in which words it is."""

from __future__ import annotations

from services.membership.directory import Listed
from services.membership.letters.wording import Site, Wording
from services.membership.people import People
from services.membership.refused import Refused
from services.membership.roster import Roster


class Readers:
    """The readers of every list's letters."""

    def __init__(self, site: Site, roster: Roster, people: People) -> None:
        self.site = site
        self._roster = roster
        self._people = people

    async def words(self, list_slug: str, address: str) -> Wording:
        """What a list's letters say to somebody."""
        listed = self._roster.feed.lists.get(list_slug)
        try:
            person = await self._people.find(address)
        except Refused:  # one that nobody can be kept under
            return self.of(listed)
        return self.of(listed, await self._roster.language(list_slug, person.id) if person else "")

    def of(self, listed: Listed | None, language: str = "") -> Wording:
        """What the letters of a list, or of the site, say to who reads this language (empty for
        one that nobody knows)."""
        if listed is None:
            return Wording(languages=(language,), site=self.site)
        state = listed.state
        languages = (language, state.settings.preferred_language)
        return Wording(languages=languages, of_list=state.letters, site=self.site)
