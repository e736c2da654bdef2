"""What stays of a mail however often lists put lines of theirs around it. Pure."""

from __future__ import annotations

import hashlib

from postroad.mail.parts import first_lines, parts

LINES = 5  # of the text; where it is shorter, what a list adds each time soon fills them


def gist(data: bytes) -> str:
    """A digest (16 hex digits) of how a mail's text begins, and of all in it that is not plain text
    to be read: where lists add lines, they do so below the text, or as plain text of its own. What
    the same lists put above the text is the same from the second time on. `data` is a whole mail,
    or the start of it; any bytes will do."""
    digest = hashlib.sha256(repr(first_lines(data, LINES)).encode("utf-8", "replace"))
    for part in parts(data):
        if part.attached or part.type != "text/plain":
            digest.update(hashlib.sha256(part.body).digest())
    return digest.hexdigest()[:16]
