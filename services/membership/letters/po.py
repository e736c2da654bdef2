"""Gettext's catalogs as text (.po, .pot), as much of the format as letters need. Pure.

Each entry has a context; there are no plurals. What is marked fuzzy is not translated.
https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_LINE = re.compile(r'(?:(msgctxt|msgid|msgstr)\s+)?"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


class Entry(NamedTuple):
    """One message: the original `id`, and its translation, empty where there is none. `about` is
    for the translator."""

    context: str
    id: str
    text: str = ""
    about: str = ""


def read(text: str) -> Mapping[str, Entry]:
    """What is translated, by context. Raises ValueError naming the first wrong line."""
    found: dict[str, Entry] = {}
    parts: dict[str, str] = {}
    fuzzy, key = False, ""

    def end() -> None:
        nonlocal parts, fuzzy
        if parts.get("msgctxt") and parts.get("msgstr") and not fuzzy:
            entry = Entry(parts["msgctxt"], parts.get("msgid", ""), parts["msgstr"])
            found[entry.context] = entry
        parts, fuzzy = {}, False

    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            if "msgstr" in parts:
                end()
            fuzzy |= written.startswith("#,") and "fuzzy" in written
            continue
        match = _LINE.fullmatch(written)
        if match is None or not (match[1] or key):
            raise ValueError(f'line {number}: must be msgctxt, msgid or msgstr and "a text"')
        if match[1]:
            if match[1] in parts or (match[1] == "msgctxt" and parts):
                end()
            key = match[1]
        parts[key] = parts.get(key, "") + _ESCAPE.sub(_unescaped, match[2])
    end()
    return found


def write(entries: Iterable[Entry], language: str = "") -> str:
    """A catalog; without translations, and without language, a template (.pot). Fields in braces
    are checked by `msgfmt --check` as those of Python's format."""
    return _HEADER.format(language=language) + "".join(map(_entry, entries))


def _entry(entry: Entry) -> str:
    lines = [f"#. {entry.about}"] if entry.about else []
    if "{" in entry.id:
        lines.append("#, python-brace-format")
    for key, value in (("msgctxt", entry.context), ("msgid", entry.id), ("msgstr", entry.text)):
        pieces = value.splitlines(keepends=True) or [""]
        quoted = [f'"{_escaped(piece)}"' for piece in pieces]
        lines += [f"{key} {quoted[0]}"] if len(quoted) == 1 else [f'{key} ""', *quoted]
    return "\n" + "\n".join(lines) + "\n"


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED.get(match[1], match[1])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
