"""Languages in which Postroad writes letters, by their tags (BCP 47): English, and the catalogs in
services/membership/letters. A site may have more of its own. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
ENGLISH = "en"
BUILT_IN = (ENGLISH, "de")

# of ISO 639-1; of three letters there are thousands
_TWO_LETTERS = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz
ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln
lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi
pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th
ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""


def unknown(tag: str) -> bool:
    """Whether a tag begins with two letters that stand for no language."""
    code = tag.partition("-")[0]
    return len(code) == 2 and code not in _TWO_LETTERS.split()


def check(language: str, known: Collection[str] = BUILT_IN) -> str:
    """The tag of a language, empty for none. Raises ValueError naming those there are."""
    tag = language.strip()
    if tag and tag not in known:
        near = difflib.get_close_matches(tag.lower(), known, n=1, cutoff=0.5)
        nearest = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
        raise ValueError(f"there are no letters in the language {tag!r}; {nearest}")
    return tag
