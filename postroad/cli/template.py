"""`postroad template`: what letters say, and to have them say something else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.frame import Call, command, group
from postroad.cli.output import print_table, whole
from postroad.runtime.errors import UsageError

if TYPE_CHECKING:
    from schemas.commands import Answer, Command
    from schemas.letters import LetterRow, LetterShown
    from schemas.templates import SetLetter

LARGEST = 50_000  # octets of a text: 10,000 characters, and a Subject

template = group(
    "template",
    "What letters to members and owners say.",
    example="postroad template preview staff@lists.example.org welcome",
)
List = Annotated[str, typer.Argument(metavar="LIST", help="The list's address.")]
Letter = Annotated[str, typer.Argument(metavar="LETTER", help="Its name, as ls shows it.")]
Language = Annotated[
    str, typer.Option("--language", metavar="TAG", help="For readers of this language, as de.")
]


@command(template, "ls", example="postroad template ls staff@lists.example.org")
async def ls(
    call: Call,
    list_: Annotated[
        str, typer.Argument(metavar="[LIST]", help="A list's address; else of the site.")
    ] = "",
    language: Language = "",
) -> None:
    """Every letter: to whom it goes and when, and what may be filled in.

    The source says whose its text is: built in, site (a file in letters_dir) or list. What every
    letter may have is told once, below.
    """
    from schemas.templates import ListLetters

    request = ListLetters(list=list_, language=language)
    rows = (await _ask(call, "letter_ls", request)).letters
    call.show(whole(rows), lambda: _print_rows(rows))


@command(template, "show", example="postroad template show staff@lists.example.org welcome")
async def show(call: Call, list_: List, letter: Letter, language: Language = "") -> None:
    """The text of a letter, with its fields in braces, as `set` takes it."""
    from schemas.templates import ListLetters

    request = ListLetters(list=list_, letter=letter, language=language)
    (row,) = (await _ask(call, "letter_ls", request)).letters
    call.show(row, lambda: print(row.text.rstrip("\n")))


@command(template, "set", example="postroad template set staff@lists.example.org welcome hello.txt")
async def set_(
    call: Call,
    list_: List,
    letter: Letter,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The text; - for standard input.")],
    language: Language = "",
) -> None:
    """Have a letter say what stands in a file.

    The first line may be Subject: and what the mail is about; then an empty line, then the text.
    With --language it is for those who read that, else for everybody. `show` gives one to begin
    with, `preview` shows what comes of it.
    """
    from schemas.templates import SetLetter

    request = SetLetter(list=list_, letter=letter, language=language, text=_text(file))
    if not request.text.strip():
        raise UsageError(f"{file}: there is no text; `postroad template reset` brings back ours")
    answer = await _ask(call, "letter_set", request)
    done = "set" if _titled(request) else "set; the Subject stays ours, for the first line is none"
    _print_change(call, request.letter, answer, done, "says so already")


@command(template, "reset", example="postroad template reset staff@lists.example.org welcome")
async def reset(call: Call, list_: List, letter: Letter, language: Language = "") -> None:
    """Have a letter say again what it says without the list's own text."""
    from schemas.templates import SetLetter

    request = SetLetter(list=list_, letter=letter, language=language)
    answer = await _ask(call, "letter_set", request)
    whose = f" for {language}" if language else ""
    _print_change(call, letter, answer, "reset", f"the list has no text of its own{whose}")


@command(template, "preview", example="postroad template preview staff@lists.example.org welcome")
async def preview(
    call: Call,
    list_: List,
    letter: Letter,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="As if this were its text; - for standard input."),
    ] = None,
    language: Language = "",
) -> None:
    """A letter as it would be sent, with examples for what is not known before.

    Nothing is sent and nothing is changed. JSON has the HTML, too.
    """
    from schemas.templates import PreviewLetter

    text = _text(file) if file else ""
    request = PreviewLetter(list=list_, letter=letter, language=language, text=text)
    shown = (await _ask(call, "letter_preview", request)).letter
    assert shown is not None
    call.show(shown, lambda: _print_letter(shown))


@command(template, "catalog", example="postroad template catalog fr > letters/fr.po")
def catalog(
    call: Call,
    language: Annotated[
        str, typer.Argument(metavar="[TAG]", help="A language; else a catalog to begin with.")
    ] = "",
) -> None:
    """Everything that letters say, to be translated with any editor of gettext's catalogs.

    With a language that which is translated, too, here or in letters_dir, as long as its English
    has not changed. A file TAG.po in letters_dir is read when membership is started.
    """
    from services.membership.letters import site
    from services.membership.letters.catalog import template

    known = site.catalog_of(call.config.site.letters_dir, language) if language else ""
    text = template(language, known)
    call.show({"language": language, "catalog": text}, lambda: print(text, end=""))


async def _ask(call: Call, name: str, request: Command) -> Answer:
    from postroad.cli.ask import ask
    from postroad.cli.road import road

    async with road(call.config) as broker:
        return await ask(broker, name, request)


def _titled(request: SetLetter) -> bool:
    """Whether a text that was taken has a Subject, or its letter takes none."""
    from services.membership.letters import own
    from services.membership.letters.catalog import texts

    name = own.named(request.letter)
    return not texts()[name].subject or bool(own.read(name, own.kept(request.text)).subject)


def _text(file: Path) -> str:
    """What stands in a file. Raises UsageError where it cannot be read, or is too long."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    if len(data) > LARGEST:
        raise UsageError(f"{file}: it is longer than {LARGEST:,} octets")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it is not text in UTF-8") from None


def _print_rows(rows: tuple[LetterRow, ...]) -> None:
    from services.membership.letters.catalog import ALWAYS, READER

    common = (*ALWAYS, READER)
    print_table(
        ("letter", "source", "to whom, when", "fields"),
        (
            (
                row.name,
                _source(row),
                row.about,
                " ".join(f"{{{each}}}" for each in row.fields if each not in common),
            )
            for row in rows
        ),
        whole=1,
    )
    print(f"\nEvery letter: {' '.join(f'{{{field}}}' for field in ALWAYS)}")
    print(f"and {{{READER}}}, whom it goes to, but where somebody has to confirm.")


def _source(row: LetterRow) -> str:
    """Whose text stands, and in which languages the list has texts of its own besides."""
    others = [each or "every language" for each in row.own]
    if row.source == "list" and len(others) == 1:
        others = []
    also = f"; own: {', '.join(others)}" if others else ""
    return f"{row.source}, {row.language}{also}"


def _print_letter(shown: LetterShown) -> None:
    print(f"From: {shown.sender}\nSubject: {shown.subject}\n\n{shown.plain}", end="")


def _print_change(call: Call, letter: str, answer: Answer, done: str, already: str) -> None:
    report = {"letter": letter, "changed": bool(answer.changed)}
    call.show(report, lambda: print(f"{letter}: {done if answer.changed else already}"))
