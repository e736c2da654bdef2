"""The folder `[site] letters_dir`: texts that hold for every list, and catalogs of languages.

welcome.txt       a text of its own for a letter, for readers of every language
welcome.de.txt    the same for those of one
fr.po             a catalog (see `postroad template catalog`); of ours it replaces what it has
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from postroad.runtime.errors import SettingsError
from services.membership import languages
from services.membership.letters import catalog, own
from services.membership.letters.catalog import Catalog
from services.membership.letters.wording import Site

LARGEST = 1 << 20  # octets of a file
_KINDS = (".txt", ".po")


def read(folder: Path | None, language: str) -> Site:
    """What the site has of its own. Raises SettingsError naming every file that is wrong, and a
    language in which there is nothing."""
    texts: dict[tuple[str, str], str] = {}
    catalogs: dict[str, Catalog] = {}
    wrong: list[str] = []
    try:
        for file in _files(folder):
            try:
                _take(file, texts, catalogs)
            except ValueError as error:
                wrong.append(f"[site] letters_dir: {file.name}: {error}")
            except OSError as error:
                wrong.append(f"[site] letters_dir: {file.name}: {error.strerror}")
    except OSError as error:
        wrong.append(f"[site] letters_dir: {folder}: {error.strerror}")
    site = Site(language=language, texts=texts, catalogs=catalogs)
    try:
        languages.check(language, site.languages)
    except ValueError as error:
        wrong.append(f"[site] default_language: {error}")
    if wrong:
        raise SettingsError("\n".join(wrong))
    return site


def catalog_of(folder: Path | None, language: str) -> str:
    """The catalog of a language as it stands: the site's, else ours, else nothing. Raises
    SettingsError for what is no language, or cannot be read."""
    try:
        file = folder / f"{_tag(language)}.po" if folder else None
        if file and file.exists():
            return file.read_text("utf-8-sig")
    except (ValueError, OSError) as error:
        raise SettingsError(str(error)) from error
    return catalog.of(language)


def _files(folder: Path | None) -> Iterator[Path]:
    for file in sorted(folder.iterdir()) if folder else ():
        if file.suffix in _KINDS and not file.name.startswith((".", "README")):
            yield file


def _take(file: Path, texts: dict[tuple[str, str], str], catalogs: dict[str, Catalog]) -> None:
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is longer than {LARGEST:,} octets")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    if file.suffix == ".po":
        catalogs[_tag(file.stem)] = catalog.read(text)
        return
    name, dot, language = file.stem.partition(".")
    letter, typed = own.named(name), own.kept(text)
    own.read(letter, typed)
    texts[letter, _tag(language) if dot else ""] = typed


def _tag(language: str) -> str:
    if not languages.TAG.fullmatch(language):
        raise ValueError(f"{language!r} is no language; write a tag such as de or pt-BR")
    if languages.unknown(language):
        there = ", ".join(sorted(languages.BUILT_IN))
        raise ValueError(
            f"{language!r} is the code of no language (ISO 639); there are letters in {there}"
        )
    return language
