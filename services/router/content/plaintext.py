"""HTML as text, for lists that want no HTML. Pure, but slow where the HTML is bad: see `worker`."""

from __future__ import annotations

import re

from html2text import HTML2Text

from postroad.mail.parts import read_text, words_of

LARGEST = 256 << 10  # characters; they take 0.2 s, and of a larger one the bare words must do
_UNPRINTABLE = re.compile(r"[^\S\n ]|[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_EMPTY_LINES = re.compile(r"\n{3,}")
# A line of the text must not become a delimiter of the multipart that it stands in.
_DELIMITER = re.compile(r"^--(?! ?$)", re.MULTILINE)


def plaintext(octets: bytes, charset: str) -> tuple[bytes, bytes]:
    """The fields of a text/plain part, and its body, that say what this text/html body says."""
    text = _UNPRINTABLE.sub(" ", _converted(read_text(octets, charset)))
    text = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    text = _DELIMITER.sub(" --", _EMPTY_LINES.sub("\n\n", text))
    body = f"{text}\n".replace("\n", "\r\n").encode("utf-8", "replace")
    charset, encoding = ("us-ascii", "7bit") if body.isascii() else ("utf-8", "8bit")
    fields = (
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    )
    return fields.encode(), body


def _converted(markup: str) -> str:
    if len(markup) > LARGEST:
        return words_of(markup)
    reader = HTML2Text()
    reader.body_width = 78
    reader.unicode_snob = True  # characters as they are, not as ASCII would have them
    reader.images_to_alt = True
    reader.wrap_links = False
    try:
        return reader.handle(markup)
    except Exception:  # noqa: BLE001  # hostile HTML breaks it in ways of every kind
        return words_of(markup)
