"""`postroad template` where it needs no membership, and letters_dir before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.cli.app import app
from postroad.cli.frame import run
from postroad.cli.template import _print_rows, _titled
from schemas.letters import LetterRow
from schemas.templates import SetLetter
from services.membership.letters import catalog, po


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Settings with a folder of letters."""
    (tmp_path / "letters").mkdir()
    settings = tmp_path / "postroad.toml"
    settings.write_text("[site]\ndomain = 'lists.example.org'\nletters_dir = 'letters'\n")
    return settings


@pytest.mark.parametrize("words", [("config", "check"), ("up",)])
def test_a_wrong_file_is_named_before_anything_is_started(
    file: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The check of the settings says it, and so does the start."""
    (file.parent / "letters" / "welcome.txt").write_text("Hello {nmae}")
    assert run(app, [*words, "--config", str(file)]) == 2
    told = capsys.readouterr().err
    assert told == (
        "postroad: [site] letters_dir: welcome.txt: there is no {nmae} in the letter welcome; "
        "did you mean {name}?\n"
    )


def test_a_catalog_is_printed_with_what_the_site_has(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a language of ours what we have, of one of the site's that, of another nothing yet."""

    def printed(*language: str) -> str:
        assert run(app, ["template", "catalog", *language, "--config", str(file)]) == 0
        return capsys.readouterr().out

    assert printed() == catalog.template()
    assert po.read(printed("de")) == po.read(catalog.of("de"))
    assert po.read(printed("fr")) == {}
    echo = po.Entry("echo.subject", catalog.texts()["echo"].subject, "Écho")
    (file.parent / "letters" / "fr.po").write_text(po.write([echo], "fr"), "utf-8")
    assert po.read(printed("fr")) == {"echo.subject": echo}
    assert run(app, ["template", "catalog", "../fr", "--config", str(file)]) == 2


@pytest.mark.parametrize(
    ("letter", "text", "titled"),
    [
        ("welcome", "\nSubject: Hello\n\nHi", True),
        ("welcome", "Betreff: Hello\n\nHi", False),
        ("sign_off", "Bye", True),
    ],
)
def test_a_text_without_a_subject_is_remarked_on(letter: str, text: str, titled: bool) -> None:
    """Whoever meant the first line as one hears that it is not; some texts have none."""
    assert _titled(SetLetter(list="team@lists.example.org", letter=letter, text=text)) is titled


def test_the_table_says_whose_text_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own fields stand beside each letter, those of every letter once below; of own texts in
    other languages it tells, too."""
    row = LetterRow(name="which", about="answer", fields=("name", "address", "lists"))
    rows = [
        replace(row, source="built in", language="en"),
        replace(row, source="list", language="de", own=("",)),
        replace(row, source="built in", language="en", own=("de", "fr")),
    ]
    _print_rows(tuple(rows))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [
        "which built in, en answer {lists}",
        "which list, de answer {lists}",
        "which built in, en; own: de, fr answer {lists}",
    ]
    assert lines[5].startswith("Every letter: {name} {list}")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "it is not text in UTF-8"), (b"x" * 50_001, "longer than 50,000 octets")],
)
def test_a_text_is_read_before_anybody_is_asked(
    file: Path, content: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no text, too long or not there is refused in a line."""
    text = file.parent / "text"
    text.write_bytes(content)
    for name, why in ((text, told), (file.parent / "none", "No such file")):
        words = ["template", "set", "team@lists.example.org", "welcome", str(name)]
        assert run(app, [*words, "--config", str(file)]) == 2
        assert why in capsys.readouterr().err
