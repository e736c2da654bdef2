"""The tree keeps its shape: short files, names that say something, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("schemas", "postroad", "services", "projections")
LONGEST = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"}
REGISTRIES = re.compile(
    r"(?:pypi|pythonhosted)\.org|test\.pypi|npmjs|crates\.io|rubygems\.org|proxy\.golang"
    r"|--(?:extra-)?index-url|--find-links",
    re.IGNORECASE,
)
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|Users|opt)/\w")


def tracked() -> list[Path]:
    """Every file of the repository; the tree itself where there is no git (a source archive)."""
    try:
        listing = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return [path for name in (*PRODUCT, "tests") for path in (ROOT / name).rglob("*.py")]
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """The tracked Python files of these folders."""
    wanted = [ROOT / folder for folder in folders]
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and any(folder in path.parents for folder in wanted)
    ]


def relative(path: Path) -> str:
    """How a failure names a file."""
    return str(path.relative_to(ROOT))


def test_files_stay_short() -> None:
    """A file that outgrows 400 lines holds a second idea."""
    lengths = {relative(p): len(p.read_text().splitlines()) for p in python_files(*PRODUCT)}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_modules_are_named_for_what_they_hold() -> None:
    """No drawer for everything: a module's name is a noun of the field."""
    names = [
        relative(path)
        for path in python_files(*PRODUCT, "tests")
        if EMPTY_NAMES & {path.stem, *(parent.name for parent in path.relative_to(ROOT).parents)}
    ]
    assert names == []


def test_every_service_has_its_manual_page() -> None:
    """A service's package docstring says what it consumes, emits and does when it fails."""
    pages = {
        relative(page): ast.get_docstring(ast.parse(page.read_text()))
        for page in (ROOT / "services").glob("*/__init__.py")
    }
    assert pages
    assert [name for name, text in pages.items() if not text] == []


def test_every_test_states_its_rule() -> None:
    """The suite reads as the specification: each test says in a sentence what it protects."""
    mute = [
        f"{relative(path)}::{node.name}"
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert mute == []


@pytest.mark.parametrize("pattern", [REGISTRIES, OF_ONE_MACHINE], ids=["registry", "machine"])
def test_nothing_of_one_machine_is_kept(pattern: re.Pattern[str]) -> None:
    """No tracked file names a package registry or a path that only one machine has."""
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # raw mail and images
        found += [f"{relative(path)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_locks_carry_hashes_and_no_addresses() -> None:
    """Every locked requirement is pinned by hash, and none records where it was downloaded."""
    for name in ("run.txt", "dev.txt", "fuzz.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pinned = re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE)
        assert pinned
        assert len(pinned) == len(re.findall(r"^\S.*\\\n +--hash=sha256:", text, re.MULTILINE))
        assert "://" not in text


def test_what_runs_is_part_of_what_checks() -> None:
    """The development lock pins every package exactly as the run-time lock does."""
    pins = {
        name: set(
            re.findall(
                r"^(\S+==[^\s;\\]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE
            )
        )
        for name in ("run.txt", "dev.txt")
    }
    assert pins["run.txt"] <= pins["dev.txt"]
