"""Whether a POST means it: the one field that mail providers and our own page send. Pure.

RFC 8058 section 3.2 has providers send the pair of List-Unsubscribe-Post as multipart/form-data, or
urlencoded.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

FIELD, VALUE = "List-Unsubscribe", "One-Click"

_PART = re.compile(  # header fields of one part, an empty line, the value (RFC 7578)
    rb"content-disposition:[^\r\n]*;\s*name=\"?list-unsubscribe\"?[^\r\n]*\r?\n"
    rb"(?:[^\r\n]+\r?\n){0,8}\r?\n\s*one-click\s*(?:\r?\n|$)",
    re.IGNORECASE,
)


def one_click(content_type: str, body: bytes) -> bool:
    """Whether this body is the form by which somebody leaves. A body without a type is taken for
    urlencoded."""
    if content_type.lower().startswith("multipart/form-data"):
        return bool(_PART.search(body))
    pairs = parse_qsl(body.decode("latin-1").strip())
    return (FIELD.lower(), VALUE.lower()) in (
        (name.lower(), value.lower()) for name, value in pairs
    )
