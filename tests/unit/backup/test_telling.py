"""What `restore` and `resume` say of what would go out, and whether they may go on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from postroad.cli.consent import agreed
from postroad.cli.frame import Call
from postroad.cli.restore import _list
from postroad.cli.restoring.outstanding import Waiting
from postroad.cli.road import streams
from postroad.runtime.config import Config
from postroad.runtime.errors import UsageError


def waiting(mail: str, copies: int) -> Waiting:
    since = "2026-11-22T03:00:00+00:00"
    return Waiting(
        list="staff@lists.example.org",
        mail=mail,
        subject="",
        since=since,
        copies=copies,
        doubtful=0,
    )


@pytest.mark.parametrize(
    ("skipped", "told"),
    [
        (0, "5 copies of 2 mails would go out; what was sent"),
        (1, "3 copies of 1 mail would go out, 2 copies of 1 mail are left out:"),
        (2, "nothing would go out, 5 copies of 2 mails are left out:"),
    ],
)
def test_what_is_left_out_is_not_said_to_go_out(
    capsys: pytest.CaptureFixture[str], skipped: int, told: str
) -> None:
    """The line above the table counts what it says of each row."""
    rows = [waiting("one", 2), waiting("two", 3)]
    _list(rows, rows[:skipped])
    assert capsys.readouterr().out.startswith(told)


def test_where_nobody_can_be_asked_the_remedy_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that gave no --yes is told of it, and nothing is done."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert not agreed(Call(), "Put it back?", yes=False)
    assert "Add --yes" in capsys.readouterr().err
    assert agreed(Call(), "Put it back?", yes=True)


async def test_who_looks_at_nothing_makes_nothing(tmp_path: Path) -> None:
    """`resume --dry-run` before `restore` leaves the state_dir as empty as restore wants it."""
    settings = tmp_path / "postroad.toml"
    settings.write_text('[site]\ndomain = "lists.example.org"\nstate_dir = "state"\n')
    with pytest.raises(UsageError, match=r"there is nothing in .*/state yet"):
        async with streams(Config.load(settings, {})):
            pass
    assert not (tmp_path / "state").exists()
