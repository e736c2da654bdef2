"""What a person is told instead of a traceback."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from postroad.runtime import service
from postroad.runtime.apierror import ApiError, Refusal
from postroad.runtime.config import Config
from postroad.runtime.embedded import _prepare, access
from postroad.runtime.errors import PostroadError, Retry, UsageError
from postroad.runtime.plainly import at, of_a_place, plainly
from postroad.runtime.status import status

SETTINGS = """[site]
domain = "lists.example.org"
base_url = "https://lists.example.org"
state_dir = "state"
"""
GONE = ApiError("CONSUMER.INFO.LISTS.router", Refusal(404, 10059, "stream not found"))


def oserror(number: int, name: str | None = "/state/x") -> OSError:
    """As the system raises it."""
    return OSError(number, os.strerror(number), *([name] if name else []))


def test_a_place_that_cannot_be_used_is_named_with_what_helps() -> None:
    """A full disk is told of any file; a refusal only of one with a name, as a port has none."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.ENOTDIR):
        what, _, remedy = of_a_place(oserror(number)).partition("; ")
        assert what.startswith("/state/x: ")
        assert remedy
    assert of_a_place(oserror(errno.ENOSPC, None)).startswith("a file or folder of Postroad: ")
    for error in (oserror(errno.EACCES, None), oserror(errno.ECONNREFUSED), TimeoutError("late")):
        assert of_a_place(error) == ""
        assert plainly(error) is None


def test_an_open_file_is_named() -> None:
    """The system names none where a write to it fails."""
    with pytest.raises(OSError, match="/state/y") as raised, at(Path("/state/y")):
        raise oserror(errno.EIO, None)
    assert of_a_place(raised.value).startswith("/state/y: its disk fails")


def test_of_several_things_that_failed_at_once_a_bug_is_not_hidden() -> None:
    """One sentence where all of them are foreseen, with the exit code of the first."""
    foreseen = ExceptionGroup("", [ExceptionGroup("", [UsageError("no")]), Retry("away")])
    told = plainly(foreseen)
    assert told is not None
    assert (str(told), told.exit_code) == ("no", 2)
    assert plainly(ExceptionGroup("", [foreseen, KeyError("x")])) is None


@pytest.mark.parametrize(("error", "lines"), [(GONE, 1), (KeyError("x"), 3)])
def test_a_service_whose_stream_is_gone_ends_with_one_line(
    error: Exception,
    lines: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever of it met that first; only a bug has a traceback, and it ends as all else does."""

    async def serve(*_: object, **__: object) -> None:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [error])

    (tmp_path / "postroad.toml").write_text(SETTINGS)
    monkeypatch.setattr(service, "serve", serve)
    assert service.main("router", str(tmp_path / "postroad.toml")) == 1
    told = capsys.readouterr().err
    assert ("Traceback" in told) == (lines > 1)
    assert told.count("\n") >= lines
    if lines == 1:
        assert told.startswith("postroad router: the stream LISTS is gone; postroad status says")
        assert told.count("\n") == 1


async def test_status_is_down_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    """It is for that moment: the sentence is its problem, not its end."""
    (tmp_path / "postroad.toml").write_text(SETTINGS)
    config = Config.load(tmp_path / "postroad.toml", {})
    place = config.site.state_dir / "broker" / "access.json"
    place.mkdir(parents=True)
    found = await status(config)
    assert found.exit_code == 2
    assert found.problems[0].startswith(f"{place}: there is a folder where a file should be; ")
    with pytest.raises(IsADirectoryError):
        access(config.site.state_dir)


def test_a_broker_that_has_its_files_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk it starts as before: what is unchanged is not written anew."""
    first = _prepare(tmp_path, "always")

    def full(path: Path, data: bytes) -> None:
        raise PostroadError("no room")

    monkeypatch.setattr("postroad.runtime.embedded.replace_private", full)
    monkeypatch.setattr("postroad.runtime.embedded._free", lambda _: True)
    assert _prepare(tmp_path, "always") == first
    (tmp_path / "broker" / "nats.conf").chmod(0o644)
    with pytest.raises(PostroadError):
        _prepare(tmp_path, "always")
