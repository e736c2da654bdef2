"""Languages in which Postroad writes letters, by their tags (BCP 47): English, and the catalogs in
services/membership/letters. A site may have more of its own. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
ENGLISH = "en"
BUILT_IN = (ENGLISH, "de")


def check(language: str, known: Collection[str] = BUILT_IN) -> str:
    """The tag of a language, empty for none. Raises ValueError naming those there are."""
    tag = language.strip()
    if tag and tag not in known:
        near = difflib.get_close_matches(tag.lower(), known, n=1, cutoff=0.5)
        nearest = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise ValueError(f"there are no letters in the language {tag!r}; {nearest}")
    return tag
