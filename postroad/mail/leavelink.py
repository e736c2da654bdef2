"""The https link by which one member leaves one list: `https://<base>/u/<slug>-<token>` (RFC 8058).

The token is that of the mailto link (`tokens.leave_token`), which is bound to its list: an address
names that list, and so must a link. A token has a fixed length, so what stands before it is the
slug.
"""

from __future__ import annotations

import re

from postroad.mail.tokens import LEAVE_CHARS

_PATH = re.compile(rf"/u/([a-z0-9-]{{1,200}})-([a-z2-7]{{{LEAVE_CHARS}}})")


def before_token(base_url: str, list_slug: str) -> str:
    """The link of anybody on this list, up to their token; `base_url` has no slash at its end."""
    return f"{base_url}/u/{list_slug}-"


def read_path(path: str) -> tuple[str, str] | None:
    """List slug and token of a link's path, None where it has not the form of one. Nothing says
    yet that they are true. Whatever has folded its case on the way may have."""
    found = _PATH.fullmatch(path.lower())
    return (found[1], found[2]) if found else None
