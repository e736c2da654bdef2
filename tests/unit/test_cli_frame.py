"""The `postroad` command: options anywhere, exit codes, and errors of one line."""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from postroad.cli.frame import Call, command, group, run
from postroad.cli.output import print_table
from postroad.runtime.errors import PostroadError, Retry, SettingsError, UsageError
from tests.e2e.system import COMMANDS
from tests.peers import forkserver
from tests.peers.signingkeys import RSA_FILE, rsa_key

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = '[site]\nname = "Ours"\ndomain = "lists.example.org"\n'
Postroad = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A small right settings file."""
    file = tmp_path / "ours.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def postroad(tmp_path: Path) -> Postroad:
    """Runs the real command in an empty folder, with a clean environment."""

    def postroad(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        clean = {**forkserver.OUR_PYTHON, "PATH": os.environ["PATH"], "COLUMNS": "100"}
        return asyncio.run(_run(map(str, arguments), {**clean, **environ}, tmp_path))

    return postroad


async def _run(
    words: Iterable[str], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = await forkserver.start(
            *("postroad.cli", *words),
            imported=COMMANDS,
            env=env,
            cwd=cwd,
            stdout=out.fileno(),
            stderr=err.fileno(),
        )
        code = await asyncio.wait_for(process.wait(), 60)
        said = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
    return subprocess.CompletedProcess([], code, *said)


class TestTheCommand:
    @pytest.mark.parametrize(
        "place",
        [
            ("--config", "FILE", "--json", "config", "check"),
            ("--json", "config", "--config", "FILE", "check"),
            ("config", "check", "--json", "--config", "FILE"),
            ("config", "check", "--config=FILE", "--json"),
        ],
    )
    def test_shared_options_stand_anywhere(
        self, postroad: Postroad, settings: Path, place: tuple[str, ...]
    ) -> None:
        """--config and --json mean the same before, between and after the words of a command."""
        result = postroad(*(word.replace("FILE", str(settings)) for word in place))
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["settings"]["site"]["name"] == "Ours"

    def test_config_check_prints_a_settings_file(self, postroad: Postroad, settings: Path) -> None:
        """What it prints is TOML that means the same; warnings go to stderr."""
        result = postroad("config", "check", "--config", settings)
        assert tomllib.loads(result.stdout)["site"]["base_url"] == "https://lists.example.org"
        assert "postroad: warning: there is no [[relay]]" in result.stderr

    def test_config_check_says_what_to_publish(self, postroad: Postroad, settings: Path) -> None:
        """For each key there is a comment with its TXT record, ready for a zone file."""
        key = settings.parent / "dkim.pem"
        key.write_bytes(RSA_FILE.read_bytes())
        key.chmod(0o600)
        more = '[[domain]]\nname = "lists.example.org"\ndkim_key_file = "dkim.pem"\n'
        settings.write_text(SETTINGS + more)
        result = postroad("config", "check", "--config", settings)
        wanted = rsa_key("lists.example.org", "postroad")
        assert f"# publish: {wanted.name}. TXT {wanted.zone_text}" in result.stdout.splitlines()
        assert tomllib.loads(result.stdout)["domain"]
        result = postroad("config", "check", "--json", "--config", settings)
        assert json.loads(result.stdout)["publish"] == {wanted.name: wanted.record}

    def test_config_check_shows_no_secret(self, postroad: Postroad, settings: Path) -> None:
        """Neither a password file's content nor a login within a URL is ever shown."""
        (settings.parent / "pass").write_text("hunter2")
        settings.write_text(
            f'{SETTINGS}[broker]\nurl = "nats://user:hunter2@h:4222"\n'
            '[telemetry]\notlp_endpoint = "http://h:4318/v1?token=hunter2"\n'
            '[[relay]]\nhost = "h"\nuser = "u"\npassword_file = "pass"\n'
        )
        for arguments in (("config", "check"), ("config", "check", "--json")):
            result = postroad(*arguments, "--config", settings)
            assert result.returncode == 0
            assert "hunter2" not in result.stdout + result.stderr

    def test_wrong_settings_exit_with_two(self, postroad: Postroad, settings: Path) -> None:
        """Every problem is a line on stderr, nothing is on stdout, and there is no traceback."""
        settings.write_text(f"{SETTINGS}nmae = 1\n[brokr]\nurl = 1\n")
        result = postroad("config", "check", "--config", settings)
        assert result.returncode == 2
        assert result.stdout == ""
        assert 'unknown key "nmae"; did you mean "name"?' in result.stderr
        assert 'unknown section "brokr"; did you mean "broker"?' in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_missing_secret_file_exits_with_two(self, postroad: Postroad, settings: Path) -> None:
        """The file is named, with what to do about it."""
        settings.write_text(
            f'{SETTINGS}[[relay]]\nname = "out"\nhost = "h"\nuser = "u"\npassword_file = "nope"\n'
        )
        result = postroad("config", "check", "--config", settings)
        assert result.returncode == 2
        assert '[[relay]] "out" password_file: ' in result.stderr
        assert "/nope does not exist; create it" in result.stderr

    def test_json_errors_are_on_stdout_too(self, postroad: Postroad) -> None:
        """A program that asked for JSON gets JSON even when it fails; a person still reads why."""
        result = postroad("config", "check", "--json", "--config", "missing.toml")
        assert result.returncode == 2
        assert "missing.toml does not exist" in json.loads(result.stdout)["error"]
        assert result.stderr.startswith("postroad: ")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("confg",), "Did you mean 'config'? (see: postroad --help)"),
            (("config", "chek"), "Did you mean 'check'? (see: postroad config --help)"),
            (("config", "check", "--jsn"), "--json"),
            (("config", "check", "--config"), "requires an argument"),
            (("config", "check", "x"), "unexpected extra argument"),
        ],
    )
    def test_wrong_usage_is_one_line(
        self, postroad: Postroad, arguments: tuple[str, ...], told: str
    ) -> None:
        """A misspelt command or option names the nearest, in one line, with exit code 2."""
        result = postroad(*arguments)
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert told in result.stderr

    @pytest.mark.parametrize("words", [(), ("config",), ("config", "check")])
    def test_help_has_an_example_and_the_shared_options(
        self, postroad: Postroad, words: tuple[str, ...]
    ) -> None:
        """Whoever asks a command for help sees --config and --json, and a line to copy."""
        result = postroad(*words, "--help")
        assert result.returncode == 0
        assert "--config" in result.stdout
        assert "--json" in result.stdout
        assert "Example: postroad " in result.stdout

    def test_version(self, postroad: Postroad) -> None:
        """--version is the name and the release."""
        assert postroad("--version").stdout.split()[0] == "postroad"

    def test_no_command_shows_the_help(self, postroad: Postroad) -> None:
        """Typing the bare name teaches the commands; it is no success."""
        result = postroad()
        assert result.returncode == 2
        assert "Usage: postroad" in result.stdout
        assert result.stderr == ""

    def test_a_reader_that_goes_away_is_no_error_message(self, settings: Path) -> None:
        """`postroad ... | head -1` prints no complaint about the pipe."""
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "postroad.cli",
                    "config",
                    "check",
                    "--json",
                    "--config",
                    settings,
                ],
                stdout=pipe,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
            )
        assert result.stderr == b""

    def test_serve_needs_a_name(self) -> None:
        """The bare entry of services tells its usage, and has loaded nothing for terminals: what
        is left out is left out of every process."""
        code = (
            "import sys; from postroad.cli.serve import serve;"
            "print({'rich', 'typer', 'pygments'} & {*sys.modules}); sys.exit(serve([]))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 2
        assert result.stderr.startswith("usage: ")
        assert result.stdout == "set()\n"

    def test_help_imports_nothing_heavy(self) -> None:
        """Help is quick because the broker's, the database's and the tracing libraries wait."""
        code = (
            "import sys; from postroad.cli.app import app; from postroad.cli.frame import run;"
            "run(app, ['--help']);"
            "print(sorted({'duckdb', 'nats', 'opentelemetry', 'pymap'} & set(sys.modules)))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert result.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def app() -> typer.Typer:
    """A command line of one group with commands that end in every way."""
    failures: dict[str, Exception] = {
        "runtime": PostroadError("the relay is away"),
        "settings": SettingsError("wrong"),
        "usage": UsageError("no such list"),
        "retry": Retry("nobody answers"),
        "disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/state/x"),
        "bug": KeyError("x\ny"),
    }
    noun = group("noun", "Things.", example="postroad noun answer 0")

    @command(noun, "fail", example="postroad noun fail bug")
    def fail(call: Call, how: str) -> None:
        """Fail."""
        raise failures[how]

    @command(noun, "interrupt", example="postroad noun interrupt")
    def interrupt(call: Call) -> None:
        """Be interrupted."""
        raise KeyboardInterrupt

    @command(noun, "answer", example="postroad noun answer 3")
    async def answer(call: Call, code: int, twice: Annotated[bool, typer.Option()] = False) -> int:
        """Answer with a code."""
        call.show({"code": code}, lambda: print("code", code))
        return code * 2 if twice else code

    @command(noun, "judge", example="postroad noun judge 2 1")
    def judge(call: Call, code: int, lines: int) -> int:
        """Judge at some length."""
        table = functools.partial(print_table, ("x",), [("y",)])
        return call.judge(code, {}, (lambda: print("x\n" * lines)) if lines else table)

    root = typer.Typer()
    root.callback()(lambda: None)
    root.add_typer(noun)
    return root


class TestEndings:
    @pytest.mark.parametrize(
        ("how", "code", "told"),
        [
            ("runtime", 1, "the relay is away"),
            ("settings", 2, "wrong"),
            ("usage", 2, "no such list"),
            ("retry", 1, "nobody answers"),
            ("disk", 1, "/state/x: there is no room left on its disk; make room there"),
            ("bug", 1, "internal error: KeyError: 'x\\ny' (set POSTROAD_DEBUG=1"),
        ],
    )
    def test_a_failure_is_one_line_and_a_code(
        self, app: typer.Typer, capsys: pytest.CaptureFixture[str], how: str, code: int, told: str
    ) -> None:
        """Each family of failure has its exit code; none shows a traceback."""
        assert run(app, ["noun", "fail", how]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"postroad: {told}")
        assert err.count("\n") == 1

    def test_the_traceback_can_be_had(
        self,
        app: typer.Typer,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """POSTROAD_DEBUG=1 shows where an internal error came from."""
        monkeypatch.setenv("POSTROAD_DEBUG", "1")
        run(app, ["noun", "fail", "bug"])
        assert "Traceback" in capsys.readouterr().err

    def test_an_interrupt_is_130(
        self, app: typer.Typer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Control-C ends quietly with the code shells expect."""
        assert run(app, ["noun", "interrupt"]) == 130
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(("arguments", "code"), [(["1"], 1), (["2", "--twice"], 4)])
    def test_a_command_may_answer_with_its_code(
        self, app: typer.Typer, arguments: list[str], code: int
    ) -> None:
        """A coroutine is run, and what it returns is the exit code (`status` is one)."""
        assert run(app, ["noun", "answer", *arguments]) == code

    @pytest.mark.parametrize("lines", [0, 1, 100_000])
    def test_a_verdict_stands_though_its_reader_goes_away(
        self, app: typer.Typer, monkeypatch: pytest.MonkeyPatch, lines: int
    ) -> None:
        """`postroad status | head -1` has the exit code of `postroad status`, also where it breaks
        off in a table."""
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert run(app, ["noun", "judge", "2", str(lines)]) == 2
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert run(app, ["noun", "judge", "0", str(lines)]) == 0

    @pytest.mark.parametrize(("form", "shown"), [([], "code 0\n"), (["--json"], {"code": 0})])
    def test_an_answer_has_two_forms(
        self, app: typer.Typer, capsys: pytest.CaptureFixture[str], form: list[str], shown: Any
    ) -> None:
        """The same answer is text for a person and JSON for a program."""
        run(app, ["noun", "answer", "0", *form])
        out = capsys.readouterr().out
        assert (json.loads(out) if form else out) == shown

    def test_json_after_two_dashes_is_a_word(
        self, app: typer.Typer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What follows -- is an argument, whatever it looks like."""
        run(app, ["noun", "fail", "--", "--json"])
        assert capsys.readouterr().out == ""


class TestTables:
    def test_a_table_is_at_most_100_columns(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Long cells fold and lose nothing, in a pipe as on a terminal."""
        print_table(("address", "note"), [("x" * 90, "y" * 90), ("z", None)])
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= 100
        assert (out.count("x"), out.count("y")) == (90, 90)

    def test_cells_are_shown_as_they_are(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A display name that looks like markup is data."""
        print_table(("name",), [("[bold]x[/bold]",)])
        assert "[bold]x[/bold]" in capsys.readouterr().out
