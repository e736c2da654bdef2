"""Logs of earlier releases, read by this one."""

from __future__ import annotations

import msgspec
import pytest

from postroad.cli.upgrading import golden
from postroad.cli.upgrading.outcome import differing


@pytest.mark.parametrize("release", golden.releases())
def test_what_an_earlier_release_wrote_becomes_the_same(release: str) -> None:
    """Every event of a golden log is read, and every table that is folded as then has its rows."""
    messages, then = golden.log(release)
    assert len(messages) > 50
    assert differing(golden.folded(messages), then) == []


def test_what_is_not_understood_any_more_is_told() -> None:
    """An event of a type that is gone, and rows that are others, are named by stream and table."""
    messages, then = golden.log("0.1.0")
    at = next(i for i, (stream, _) in enumerate(messages) if stream == "LISTS")
    stream, stored = messages[at]
    strange = stored.data.replace(b'"list_created"', b'"list_born"')
    messages[at] = stream, msgspec.structs.replace(stored, data=strange)
    found = differing(golden.folded(messages), then)
    assert found[0] == "LISTS: 1 messages are not understood"
    assert any(line.startswith("table list_events has other rows") for line in found)


def test_another_version_of_a_table_may_have_other_rows() -> None:
    """Tables of a projection that is another version now are folded anew by themselves."""
    messages, then = golden.log("0.1.0")
    for rows in then.tables.values():
        rows.version -= 1
        rows.rows += 1
    assert differing(golden.folded(messages), then) == []
