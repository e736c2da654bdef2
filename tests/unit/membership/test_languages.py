"""Letters in other languages: catalogs of gettext, and what a partly translated one does."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from postroad.runtime.errors import SettingsError
from services.membership import languages
from services.membership.letters import catalog, compose, po, site
from services.membership.letters.catalog import texts
from services.membership.letters.texts import page
from services.membership.letters.wording import Site, Wording, version
from tests.golden.test_letters import letter

OTHERS = [language for language in languages.BUILT_IN if language != "en"]
FOLDER = Path(catalog.__file__).parent


def test_every_language_is_offered() -> None:
    """There is a catalog for each language that a list may prefer, and no other."""
    assert {path.stem for path in FOLDER.glob("*.po")} == {*OTHERS}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_as_much_as_english(language: str) -> None:
    """Nine letters of ten are there, each with the fields of its English; the phrases are, too.
    A new letter may wait for its translation."""
    found = catalog.built_in(language)
    assert found.phrases.keys() == catalog.english().phrases.keys()
    assert len(found.texts) > 0.9 * len(texts())
    for name, theirs in found.texts.items():
        ours = texts()[name]
        for key in ("subject", "text", "none"):
            fields = [set(catalog.FIELD.findall(getattr(one, key))) for one in (ours, theirs)]
            assert fields[0] == fields[1], f"{name}.{key}"


@pytest.mark.parametrize("language", OTHERS)
def test_every_letter_can_be_sent_in_it(language: str) -> None:
    """From the Subject to the line below, and the document says in which language it is."""
    for name in sorted({*catalog.built_in(language).texts} - {"sign_off"}):
        data = compose(replace(letter(name), wording=Wording((language,))))
        html = data.replace(b"=3D", b"=")
        assert f'<html lang="{language}">'.encode() in html, name
        assert b"a mailing list" not in data, name


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed")
@pytest.mark.parametrize("language", ["", *OTHERS])
def test_gettext_reads_our_catalogs(language: str, tmp_path: Path) -> None:
    """Its own checker finds nothing wrong, fields in braces among it."""
    file = tmp_path / "letters.po"
    file.write_text(catalog.template(language, catalog.of(language)), "utf-8")
    subprocess.run(["msgfmt", "--check-format", "-o", tmp_path / "out.mo", file], check=True)


def test_a_catalog_is_read_as_it_was_written() -> None:
    """Quotes, backslashes, tabs and lines among it; what is fuzzy or obsolete is not translated."""
    entry = po.Entry("a.text", 'Say "hi"\\\n\tnow', 'Sag "hallo"\\\n\tjetzt')
    written = po.write([entry._replace(about="to all")], "de")
    assert po.read(written) == {"a.text": entry}
    assert po.read(written.replace("msgctxt", "#, fuzzy\nmsgctxt")) == {}
    assert po.read("".join(f"#~ {line}\n" for line in written.splitlines())) == {}
    with pytest.raises(ValueError, match="line 2: must be msgctxt"):
        po.read('msgid ""\nplural "x"\n')


def test_a_letter_that_is_not_wholly_translated_is_in_english() -> None:
    """Nobody reads half a letter; what is translated stands, even beside an English one."""
    ours = texts()
    whole = [
        po.Entry("goodbye.subject", ours["goodbye"].subject, "Au revoir"),
        po.Entry("goodbye.text", ours["goodbye"].text.strip("\n"), "Au revoir de {list}."),
        po.Entry("welcome.subject", ours["welcome"].subject, "Bienvenue"),
        po.Entry("echo.subject", "An older English", "Écho"),
        po.Entry("echo.text", ours["echo"].text.strip("\n"), "Écho de {list}."),
    ]
    french = catalog.read(po.write(whole, "fr"))
    assert {*french.texts} == {"goodbye"}
    wording = Wording(("fr",), site=Site(catalogs={"fr": french}))
    assert wording.find("goodbye", "dash")[1:3] == ("fr", "site")
    assert wording.find("welcome", "dash")[1:3] == ("en", "built in")
    assert wording.phrase("no_subject", "fr") == "(no subject)"


def test_a_translation_has_the_fields_of_its_letter() -> None:
    """One that names another field, or loses the one it is for, is refused by name."""
    question = texts()["confirm_join"]
    entries = [
        po.Entry("confirm_join.subject", question.subject, "Confirmer"),
        po.Entry("confirm_join.text", question.text.strip("\n"), "Répondez à {liste}."),
    ]
    with pytest.raises(ValueError, match=r"confirm_join.text: there is no field \{liste\}"):
        catalog.read(po.write(entries))
    for words in ("{nombre} gens", "gens", "{count} gens {"):
        with pytest.raises(ValueError, match=r"phrases.people: its fields must be those"):
            catalog.read(po.write([po.Entry("phrases.people", "{count} people", words)]))
    entries[1] = entries[1]._replace(text="Répondez.")
    with pytest.raises(ValueError, match=r"confirm_join.text: it lacks the field \{confirm\}"):
        catalog.read(po.write(entries))


def test_a_catalog_keeps_what_is_translated() -> None:
    """Who brings a catalog up to date loses nothing but what is of another English."""
    before = po.read(catalog.of("de"))
    assert po.read(catalog.template("de", catalog.of("de"))) == before
    older = po.write([po.Entry("echo.subject", "An older English", "Écho")])
    assert po.read(catalog.template("fr", older)) == {}


def test_the_site_has_texts_and_languages_of_its_own(tmp_path: Path) -> None:
    """Each file of the folder counts, by its name; other files are none of ours."""
    (tmp_path / "README.txt").write_text("Our texts")
    (tmp_path / "welcome.txt").write_text("Hello!\n")
    (tmp_path / "list:user:notice:goodbye.de.txt").write_text("Tschüss!\n", "utf-8")
    (tmp_path / "fr.po").write_text(catalog.template("fr"))
    found = site.read(tmp_path, "fr")
    assert found.texts == {("welcome", ""): "Hello!", ("goodbye", "de"): "Tschüss!"}
    assert found.languages == ("en", "de", "fr")
    assert site.read(None, "de").languages == ("en", "de")


def test_files_of_the_site_are_refused_by_name(tmp_path: Path) -> None:
    """Every wrong one in a line, so that all can be mended at once."""
    (tmp_path / "wellcome.txt").write_text("Hello!")
    (tmp_path / "welcome.German.txt").write_text("Hello!")
    (tmp_path / "goodbye.txt").write_text("Bye {nmae}")
    (tmp_path / "fr.po").write_text("nonsense")
    (tmp_path / "echo.txt").write_bytes(b"\xff")
    (tmp_path / "sign_off.txt").mkdir()
    (tmp_path / "which.txt").symlink_to("nothing")
    (tmp_path / "welcome.ed.txt").write_text("Hallo!")
    (tmp_path / "xx.po").write_text(catalog.template("xx"))
    with pytest.raises(SettingsError) as error:
        site.read(tmp_path, "dee")
    lines = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *["[site] letters_dir"] * 9,
        "[site] default_language",
    ]
    assert "wellcome.txt: there is no letter 'wellcome'; did you mean 'welcome'?" in str(
        error.value
    )
    assert "goodbye.txt: there is no {nmae}" in str(error.value)
    assert "sign_off.txt: Is a directory" in str(error.value)
    assert "which.txt: No such file" in str(error.value)
    for tag in ("ed", "xx"):
        assert f"{tag!r} is the code of no language (ISO 639); there are letters in de, en" in str(
            error.value
        )
    with pytest.raises(SettingsError, match=r"letters_dir: .*/none: No such file"):
        site.read(tmp_path / "none", "en")


def test_numbers_and_verdicts_are_in_the_language_of_their_letter() -> None:
    """What is told in a word of ours stands in the words of the reader; reasons stay as given."""

    def told(text: str, *languages: str, **fields: str) -> str:
        sent = replace(letter(text), wording=Wording(languages), fields=fields)
        return " ".join(page(sent).plain.split())

    others = {"failures": "x", "mails": "x"}
    assert "mail of team@lists.example.org to 1 person was" in told(
        "undelivered", people="1", **others
    )
    german = told("undelivered", "de", people="1234", **others)
    assert "nicht angenommen (1,234 Personen)" in german
    assert "Ergebnis: abgelehnt (too long)." in told(
        "held_decided", "de", subject="Tea", verdict="rejected (too long)"
    )


def test_the_evidence_of_consent_names_the_words_that_were_read() -> None:
    """Of our English as it always was; other words, or another language, have another digest."""
    ours = Wording().find("confirm_join", "dash").text
    assert version("confirm_join", ours) == "confirm_join d5ff505e7912"
    german = Wording(("de",)).find("confirm_join", "dash").text
    assert version("confirm_join", german) != version("confirm_join", ours)
