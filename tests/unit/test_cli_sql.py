"""How a question in SQL may be typed."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from postroad.cli.app import app
from postroad.cli.frame import run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings of a system that has a copy for analysts."""
    monkeypatch.setattr("postroad.cli.analysis.session.bind", lambda _octets: None)
    (tmp_path / "analytics").mkdir()
    duckdb.connect(str(tmp_path / "analytics" / "postroad.duckdb")).close()
    path = tmp_path / "postroad.toml"
    path.write_text(f'[site]\ndomain = "example.org"\nstate_dir = "{tmp_path}"\n')
    return str(path)


def test_a_query_may_begin_with_a_comment(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The ready questions do: a comment is no option, wherever it stands."""
    assert run(app, ["sql", "-- who\nselect 1 as a", "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 1}]
    assert run(app, ["sql", "--json", "--config", config, "--who?\nselect 2 as a"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"a": 2}]
    assert run(app, ["sql", "--who"]) == 2


def test_no_rows_are_left_out_in_silence(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file and JSON hold the rows of one query; what only helps it may stand before it. A file
    has the form that its name says."""
    asked = ["sql", "select 1; select 2", "--config", config]
    assert run(app, [*asked, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.startswith("2 queries find rows")
    assert told.endswith("ask one by one, or all with --format table")
    out = tmp_path / "two.csv"
    assert run(app, [*asked, "--output", str(out)]) == 2
    assert run(app, ["sql", "select 1", "--output", str(out), "--format", "json"]) == 2
    assert "is named as csv" in capsys.readouterr().err
    assert not out.exists()
    helped = "create temp macro twice(a) as 2 * a; select twice(21) as b"
    assert run(app, ["sql", helped, "--config", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"b": 42}]
