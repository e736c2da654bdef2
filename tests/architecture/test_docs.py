"""The documents are true of the code: what they name exists, and what exists is named."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer import Exit

from postroad.cli.app import app
from postroad.cli.frame import tree
from postroad.cli.member import OPTIONS
from postroad.mail import mergefields
from postroad.runtime import condition, settings
from postroad.runtime.config import Config, Retention
from postroad.runtime.settings_analytics import Analytics
from schemas import codec, subjects
from schemas.lists import ListSettings
from services.membership.settings import parse
from services.router import rules
from tests.architecture.documents import (
    ANALYSTS,
    ARCHITECTURE,
    DOCS,
    INDEX,
    OPERATORS,
    OWNERS,
    README,
    ROOT,
    SETTINGS,
    SRES,
    Document,
    code,
    documents,
)

ALL = documents()
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "[site]": settings.Site,
    "[broker]": settings.BrokerSettings,
    "[[domain]]": settings.Domain,
    "[[source]]": settings.Source,
    "[[relay]]": settings.Relay,
    "[[relay.destination]]": settings.Destination,
    "oauth2": settings.OAuth2,
    "[telemetry]": settings.Telemetry,
    "[alarm]": settings.Alarm,
    "[retention]": Retention,
    "[web]": settings.Web,
    "[analytics]": Analytics,
    "[dns]": settings.Dns,
    "[spamd]": settings.Spamd,
}
LOGGED = {("log", level) for level in ("debug", "info", "warning", "error")}
ADRS = sorted((DOCS / "adr").glob("*.md"))
each_document = pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)


# --- commands -----------------------------------------------------------------------------------


def shell_lines(document: Document) -> Iterator[list[str]]:
    """Every command line in a document's blocks, as words."""
    for block in document.fences("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            words = words[: words.index(">")] if ">" in words else words  # into a file
            while words and (words[0] == "sudo" or "=" in words[0]):  # as whom, with what set
                words = words[3:] if words[0] == "sudo" else words[1:]
            if words:
                yield words


def mentions(document: Document) -> Iterator[list[str]]:
    """Every command that a document names in its sentences, as words; arguments may be missing."""
    for span in document.spans():
        if re.match(r"(?:\S*/)?(?:postroad|make) \S", span):
            yield shlex.split(span)


def accept(words: list[str], *, whole: bool) -> None:
    """Have the command line read these words, down to the last option, and run nothing. Unless
    it is a `whole` line, the name of a command is enough."""
    command: Any = tree(app)
    context = None
    name = "postroad"
    try:
        while words or whole:
            context = command.make_context(name, list(words), parent=context)
            if not hasattr(command, "commands"):
                return
            name, command, words = command.resolve_command(context, words)
    except Exit:
        return  # --help and the like


@each_document
def test_every_command_shown_can_be_given(document: Document) -> None:
    """Whoever copies a command from a document finds it, with these arguments and options."""
    lines = [(words, True) for words in shell_lines(document)]
    lines += [(words, False) for words in mentions(document)]
    for words, whole in lines:
        if words[0].rpartition("/")[2] == "postroad":
            try:
                accept(words[1:], whole=whole)
            except Exception as error:  # noqa: BLE001  whatever the command line objects to
                pytest.fail(f"{document.name}: {shlex.join(words)}: {error}")


@each_document
def test_the_shell_takes_no_part_of_a_command_for_itself(document: Document) -> None:
    """A subject that ends in > stands between quotation marks: else its command would write a
    file, and ask for something else."""
    for line in chain.from_iterable(block.splitlines() for block in document.fences("sh")):
        assert not re.search(r"\S>", re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)), line


@each_document
def test_every_make_target_shown_exists(document: Document) -> None:
    """`make` knows every target that a document tells people to make."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = chain(shell_lines(document), mentions(document))
    wanted = {words[1] for words in lines if words[0] == "make"}
    assert wanted <= targets


# --- links --------------------------------------------------------------------------------------


@each_document
def test_every_link_leads_somewhere(document: Document) -> None:
    """A relative link names a file that is there, and a heading that is in it."""
    for link in document.links():
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (document.path.parent / file).resolve() if file else document.path
        assert target.exists(), f"{document.name}: {link}"
        if anchor:
            assert anchor in Document(target).anchors(), f"{document.name}: {link}"


def test_every_decision_is_on_the_map() -> None:
    """ARCHITECTURE.md links every ADR, which says its context, what was decided, what follows."""
    linked = {link.partition("#")[0] for link in ARCHITECTURE.links()}
    for path in ADRS:
        text = path.read_text()
        assert str(path.relative_to(ROOT)) in linked
        assert text.startswith(f"# {int(path.name[:4])}. ")
        headings = ["## Context", "## Decision", "## Consequences"]
        assert re.findall(r"^##.*", text, re.MULTILINE) == headings, path.name
        assert len(text.splitlines()) <= 40, f"{path.name} is no short page any more"


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_in_the_reference(section: str) -> None:
    """The reference names each key of a section, with its default, and no other."""
    told = {code(row[0])[0]: row[1] for row in SETTINGS.table(section)}
    fields = {field.encode_name: field for field in msgspec.structs.fields(SECTIONS[section])}
    assert told.keys() == fields.keys()
    for key, default in told.items():
        assert (default == "required") is fields[key].required, key
        if default == "none":
            assert fields[key].default in ("", None), key
        elif re.fullmatch(r"`[^`]*`", default):
            value = fields[key].default
            plain = str(value) if isinstance(value, Path) else value
            assert tomllib.loads(f"key = {default.strip('`')}")["key"] == (
                list(plain) if isinstance(plain, tuple) else plain
            ), key


def test_every_merge_field_is_in_the_reference() -> None:
    """Whoever writes a footer finds each field, and no other."""
    told = set(chain(*(code(row[0]) for row in OWNERS.table("Headers and footers"))))
    assert told == {f"${name}" for name in mergefields.NAMES}


def test_every_setting_of_a_list_and_option_of_a_member_is_in_the_reference() -> None:
    """The reference names them all, with the default of each setting and the values of options."""
    sections = ("Settings of a list", "Options of a member")
    rows = chain(*(OWNERS.table(section) for section in sections))
    told = {code(row[0])[0]: row[1:] for row in rows}
    fields = {field.name: field for field in msgspec.structs.fields(ListSettings)}
    assert told.keys() == fields.keys() | OPTIONS.keys()
    for name, field in fields.items():
        if re.fullmatch(r"`[\w ]+`", told[name][0]):
            several = isinstance(field.default, tuple)
            shown = " ".join(field.default) if several else str(field.default)
            assert told[name][0].strip("`") == {"True": "true", "False": "false"}.get(shown, shown)
        else:
            assert not field.default, name
    for name, values in OPTIONS.items():
        assert set(code(told[name][0])) == {value for value in values if value}


def test_what_is_held_by_default_can_be_let_through() -> None:
    """Each remedy is a change of a default that holds."""
    rows = OWNERS.table("What is held by default")
    remedies = [remedy for row in rows for remedy in code(row[1])]
    assert len(remedies) == len(rows) - 1  # of the last row nothing can be changed
    for remedy in remedies:
        name, _, value = remedy.partition("=")
        assert parse({name: value})[name] != getattr(ListSettings(), name)


def test_every_rule_is_in_the_reference_in_its_order() -> None:
    """Owners read which rules there are, and which stands before which."""
    told = [code(row[0])[0] for row in OWNERS.table("Why was it held")]
    assert told == [rule.name for rule in rules.POST]


@each_document
def test_settings_shown_are_accepted(document: Document, tmp_path: Path) -> None:
    """Every settings file in a document is one."""
    for number, block in enumerate(document.fences("toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        Config.load(file, {})


# --- what the program says ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def product() -> list[ast.Module]:
    """The product's modules, read once for all tests of a worker."""
    folders = ("postroad", "services", "projections")
    files = chain(*((ROOT / folder).rglob("*.py") for folder in folders))
    return [ast.parse(path.read_text(encoding="utf-8")) for path in files]


@pytest.fixture(scope="module")
def said(product: list[ast.Module]) -> list[str]:
    """Every line that it may say."""
    return [line for module in product for text in texts(module) for line in text.splitlines()]


def texts(module: ast.Module) -> Iterator[str]:
    """Every text of a module, with … for what is put into it."""
    for node in ast.walk(module):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in parts)


def holds(text: str, parts: Sequence[str]) -> bool:
    """Whether these parts stand in a line, in order."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def test_every_line_in_the_troubleshooting_is_said_by_the_program(
    said: list[str],
) -> None:
    """Who looks up a line finds it as the program says it; a line it no longer says is gone."""
    page = Document(OPERATORS / "troubleshooting.md")
    for row in page.table("Troubleshooting"):
        for line in code(row[0]) if row[0].startswith("`") else ():
            parts = line.split("…")
            assert any(holds(text, parts) for text in said), line


def runbook() -> list[Document]:
    """The pages for what is wrong, as the index of the operators' guide has them."""
    links = re.findall(r"\]\(([\w-]+\.md)\)", INDEX.section("Something is wrong"))
    pages = [Document(OPERATORS / link) for link in dict.fromkeys(links)]
    return [page for page in pages if "## What you see" in page.text]


@pytest.mark.parametrize("page", runbook(), ids=lambda page: page.path.stem)
def test_a_runbook_page_leads_from_what_is_seen_to_well(page: Document, said: list[str]) -> None:
    """Each page has the four parts, commands to give and to know by, and symptoms as the program
    says them."""
    parts = ["What you see", "What it means", "What to do", "How you know that it is well"]
    assert re.findall(r"^## (.+)$", page.prose, re.MULTILINE) == parts
    whole = page.text.partition("## What to do")[2].partition("## How you know")
    assert all("```sh" in part for part in (whole[0], whole[2]))
    lines = [span for span in code(page.section(parts[0])) if " " in span]
    for line in (line for line in lines if not line.startswith("postroad ")):
        assert any(holds(text, line.split("…")) for text in said), line


def test_every_log_line_is_in_the_reference(product: list[ast.Module]) -> None:
    """SREs can look up every event that is logged, and nothing else."""
    logged = {
        (node.args[0].value, node.func.attr)
        for module in product
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in LOGGED
        and isinstance(node.args[0], ast.Constant)
        and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(node.args[0].value))
    }
    told = {(name, row[1]) for row in SRES.table("Logs") for name in code(row[0])}
    assert {name for name, _ in told} == {name for name, level in logged if level != "debug"}
    for name, levels in told:
        assert {level for event, level in logged if event == name} <= {*levels.split(", ")}


def test_every_field_of_status_is_in_the_reference() -> None:
    """Who scripts against `status --json` finds each field explained."""
    shapes = (
        *(condition.Status, condition.Stage, condition.Waiting, condition.Instance),
        *(condition.Peer, condition.BrokerState, condition.Folding, condition.Disk),
        condition.Clock,
    )
    told = set(chain(*(code(cell) for row in SRES.table("Status") for cell in row)))
    assert {name for shape in shapes for name in shape.__struct_fields__} <= told


# --- the map ------------------------------------------------------------------------------------


def test_every_stream_is_on_the_map_with_its_writers() -> None:
    """Who writes a stream is what the rights to publish say."""
    told = {
        row[0]: {name for name in subjects.PRODUCERS if re.search(rf"\b{name}\b", row[2])}
        for row in ARCHITECTURE.table("Streams")
    }
    assert told == {
        stream.name: {
            service
            for service, rights in subjects.PRODUCERS.items()
            if any(subjects.stream_of(right) == stream.name for right in rights)
        }
        for stream in subjects.STREAMS
    }


def test_every_event_can_be_looked_up() -> None:
    """Analysts find every type of event beside the stream it lies in."""
    told = set(chain(*(code(row[2]) for row in ANALYSTS.table("The streams"))))
    assert told == {str(event.__struct_config__.tag) for event in codec.EVENTS}


def test_every_dependency_has_its_reason() -> None:
    """Nothing is depended on without a word why."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=~! ]", line)[0] for line in project["dependencies"]}
    assert {row[0] for row in ARCHITECTURE.table("Dependencies")} == needed


def test_the_readme_leads_everywhere() -> None:
    """From README.md every guide and every page at the root can be reached."""
    linked = {link.partition("#")[0] for link in README.links()}
    guides = {str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *DOCS.glob("*.md"))}
    assert guides - {"README.md"} <= linked


def test_every_page_for_operators_is_in_their_index() -> None:
    """From README.md the index is reached, and from it every page for operators."""
    assert str(INDEX.path.relative_to(ROOT)) in README.links()
    linked = {link.partition("#")[0] for link in INDEX.links()}
    assert {path.name for path in OPERATORS.glob("*.md")} - {"README.md"} <= linked
