"""Text in header fields: RFC 2047 encoded words, decoded for the eye and made for the wire.

Decoding knows a closed table of charsets, so that no name in a mail can reach another codec of
Python (`rot13`, `zlib_codec`, `utf-7`, ...), and it always gives text that is safe to print.
"""

from __future__ import annotations

import binascii
import re

_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    # 8-bit octets under these two names are, in practice, what the windows code page says.
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (*range(2, 12), 13, 14, 15, 16)},
    **{f"windows-125{n}": f"cp125{n}" for n in range(9)},
    **{f"cp125{n}": f"cp125{n}" for n in range(9)},
    "ibm437": "cp437",
    "cp437": "cp437",
    "ibm850": "cp850",
    "cp850": "cp850",
    "ibm852": "cp852",
    "cp852": "cp852",
    "ibm866": "cp866",
    "cp866": "cp866",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "macintosh": "mac-roman",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "gb18030": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5",
    "big5-hkscs": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "cp932": "cp932",
    "windows-31j": "cp932",
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_2",
    "iso-2022-jp-2": "iso2022_jp_2",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "cp949": "cp949",
    "iso-2022-kr": "iso2022_kr",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}

# What no field may hold: C0 but for TAB, DEL, C1, and what Unicode calls a line end.
FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*+)\?=")
_JOINERS = "\u200c\u200d"  # zero width, but part of ordinary words and emoji
_CHUNK = 45  # octets per encoded word: 60 in base64, 72 with its frame; RFC 2047 allows 75


def printable(text: str, limit: int) -> str:
    """`text` on one line without control or direction characters, at most `limit` long."""
    text = text[: 4 * limit]
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return text.strip()[:limit].rstrip()


def _shown(char: str) -> str:
    if char.isprintable() or char in _JOINERS:
        return char
    if char.isspace() or char < " ":
        return " "
    return "" if char < "\xa0" or "\u200b" <= char <= "\u206f" or char == "\ufeff" else "\ufffd"


def text_of(raw: bytes) -> str:
    """Header octets as text: UTF-8 where they are (RFC 6532), else the western code page."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def decode(text: str, limit: int) -> str:
    """`text` with its encoded words decoded, printable, at most `limit` characters.

    Adjacent words of one charset are joined before decoding, as many senders cut characters
    in two. Unknown charsets are read as the western code page. Never raises.
    """
    if "=?" not in text:
        return printable(text, limit)
    # No character needs more than 12 octets on the wire; frames take a third more.
    text = text[: 16 * limit + 100]
    pieces: list[str] = []
    held: list[bytes] = []
    charset, end = "", 0
    for match in ENCODED_WORD.finditer(text):
        gap = text[end : match.start()]
        name = match[1].partition("*")[0].lower()
        adjacent = bool(held) and not gap.strip()
        if not adjacent or name != charset:
            pieces.append(_octets_as_text(held, charset))
            held = []
        if not adjacent:
            pieces.append(gap)
        held.append(_octets(match[2], match[3]))
        charset, end = name, match.end()
    pieces += (_octets_as_text(held, charset), text[end:])
    return printable("".join(pieces), limit)


def _octets(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    try:
        if encoding in "bB":
            return binascii.a2b_base64(raw + b"==")
        return binascii.a2b_qp(raw, header=True)
    except binascii.Error:
        return raw


def _octets_as_text(held: list[bytes], charset: str) -> str:
    return in_charset(b"".join(held), charset)


def in_charset(octets: bytes, charset: str) -> str:
    """`octets` read in this charset (lower case), by the closed table; an unknown one is read as
    the western code page. Never raises."""
    return octets.decode(_CODECS.get(charset, "cp1252"), "replace")


def encode(text: str) -> str:
    """`text` as encoded words in UTF-8, separated by single spaces; always ASCII."""
    words: list[str] = []
    chunk = b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _CHUNK:
            words.append(_word(chunk))
            chunk = b""
        chunk += octets
    if chunk:
        words.append(_word(chunk))
    return " ".join(words)


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def encode_unstructured(text: str) -> str:
    """`text` for an unstructured field: what is not ASCII as encoded words, all else untouched.

    Encoded words already in `text` stay as they are. Readers drop the white space between two
    encoded words, so a space next to one of them is carried inside ours.
    """
    if text.isascii():
        return text
    runs: list[tuple[bool, str]] = []  # (to be encoded, words)
    for word in text.split(" "):
        foreign = not word.isascii()
        if runs and foreign and runs[-1][0]:
            runs[-1] = (True, f"{runs[-1][1]} {word}")
        else:
            runs.append((foreign, word))
    out: list[str] = []
    for at, (foreign, words) in enumerate(runs):
        before = " " if at and runs[at - 1][1].endswith("?=") else ""
        after = " " if at + 1 < len(runs) and runs[at + 1][1].startswith("=?") else ""
        out.append(encode(before + words + after) if foreign else words)
    return " ".join(out)


_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")


def encode_phrase(text: str) -> str:
    """`text` as a phrase (RFC 5322), for display names: atoms, a quoted string or encoded words.

    Control characters are taken out.
    """
    text = " ".join(printable(text, 1000).split())
    if not text.isascii() or "=?" in text:
        return encode(text)
    if not text or _ATOMS.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
