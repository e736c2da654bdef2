"""Who reads a letter, and so in which words it is."""

from __future__ import annotations

from services.membership.directory import Listed
from services.membership.feed import Feed
from services.membership.letters.wording import Site, Wording


class Readers:
    """The readers of every list's letters."""

    def __init__(self, site: Site, feed: Feed) -> None:
        self.site = site
        self._feed = feed

    async def words(self, list_slug: str, _address: str) -> Wording:
        """What a list's letters say to somebody."""
        return self.of(self._feed.lists.get(list_slug))

    def of(self, listed: Listed | None, language: str = "") -> Wording:
        """What the letters of a list, or of the site, say to who reads this language (empty for
        one that nobody knows)."""
        if listed is None:
            return Wording(languages=(language,), site=self.site)
        state = listed.state
        languages = (language, state.settings.preferred_language)
        return Wording(languages=languages, of_list=state.letters, site=self.site)
