"""The guides of providers say what the profiles do, and each can be found and followed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from postroad.runtime.profiles import PROFILES
from tests.architecture.documents import DOCS, README, ROOT, Document, code

FOLDER = DOCS / "providers"
MAP = Document(FOLDER / "README.md")
GUIDES = {
    "gmail": Document(FOLDER / "gmail.md"),
    "microsoft365": Document(FOLDER / "microsoft365.md"),
    "ses": Document(FOLDER / "ses.md"),
    "postfix": Document(FOLDER / "postfix-dovecot.md"),
}
each_guide = pytest.mark.parametrize("profile", GUIDES)


def test_every_profile_has_a_guide_and_the_map_leads_to_it() -> None:
    """Whoever reads of a profile finds how to set it up, from the page of all providers."""
    assert set().union(*PROFILES.values()) == GUIDES.keys()
    linked = {(FOLDER / link.partition("#")[0]).resolve() for link in MAP.links()}
    assert {guide.path for guide in GUIDES.values()} <= linked
    assert str(MAP.path.relative_to(ROOT)) in README.links()


@each_guide
def test_a_guide_goes_from_settings_to_limits(profile: str) -> None:
    """Each guide ends with how to see that it works and, honestly, what the provider cannot do."""
    GUIDES[profile].section("See that it works")
    assert GUIDES[profile].section("What this cannot do").count("\n- **") >= 4


@each_guide
def test_a_guide_can_be_followed_from_a_clone(profile: str) -> None:
    """Who begins with a guide learns how to install, what file the settings are, and gives the
    list an owner; every command can be typed as it stands."""
    guide = GUIDES[profile]
    assert "operators/install.md" in guide.section("Before you begin")
    for block in guide.fences("toml"):
        assert block.splitlines()[0].endswith("postroad.toml")
        assert all(domain.get("owner") for domain in tomllib.loads(block)["domain"])
    lines = [line for block in guide.fences("sh") for line in block.splitlines()]
    ours = ("sudo -u postroad postroad ",) if profile == "postfix" else (".venv/bin/postroad ",)
    assert [line for line in lines if line.startswith(ours)]
    assert not [
        line
        for line in lines
        if re.match(r"(?:sudo -u \w+ )?postroad ", line) and not line.startswith(ours)
    ]


@each_guide
def test_what_a_profile_sets_is_told(profile: str) -> None:
    """The table of a profile has each of its values, as the program has it, and no other."""
    sets = {
        (section, key): value
        for section, known in PROFILES.items()
        for key, value in known.get(profile, {}).items()
        if key != "name"
    }
    if profile == "postfix":  # one sentence instead of a table
        assert sets == {("relay", "host"): "127.0.0.1", ("relay", "tls"): "none"}
        return
    title = f'What `profile = "{profile}"` sets'
    told = {
        (row[0], code(row[1])[0]): tomllib.loads(f"value = {code(row[2])[0]}")["value"]
        for row in GUIDES[profile].table(title)
    }
    assert told == sets


@each_guide
def test_settings_of_a_guide_use_its_profile(profile: str, tmp_path: Path) -> None:
    """Every settings file of a guide is whole: it has a source, and a relay of this profile."""
    blocks = GUIDES[profile].fences("toml")
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        config = Config.load(file, {})
        assert config.source
        assert [relay.profile for relay in config.relay] == [profile]
