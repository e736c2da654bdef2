"""Settings: what a postroad.toml may say, what wins, and how a mistake is told."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from postroad.runtime.config import PLACES, Config
from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, size
from postroad.runtime.settings import LATER, LATER_VALUES
from postroad.runtime.settings_reader import nearest

NOBODY = 65_534
MINIMAL = """
[site]
domain = "lists.example.org"

[[source]]
name = "inbox"
host = "imap.example.org"
user = "lists"
password_file = "imap.pass"

[[relay]]
name = "out"
host = "smtp.example.org"
user = "lists"
password_file = "/etc/postroad/smtp.pass"
"""

Load = Callable[..., Config]
Refuse = Callable[..., str]


@contextmanager
def as_another_user() -> Iterator[None]:
    """Not as root, whom every folder is open to."""
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a settings file and loads it under the given environment."""

    def load(text: str = MINIMAL, **environ: str) -> Config:
        file = tmp_path / "postroad.toml"
        file.write_text(text, encoding="utf-8")
        return Config.load(file, environ)

    return load


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """The message with which settings are refused."""

    def refuse(text: str = MINIMAL, **environ: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(text, **environ)
        return str(caught.value)

    return refuse


class TestDefaults:
    def test_ten_lines_are_enough(self, load: Load, tmp_path: Path) -> None:
        """A domain, a mailbox and a relay are all an operator must name."""
        config = load()
        assert config.source[0].port == 993
        assert config.source[0].start == "now"
        assert config.source[0].poll_seconds == 60
        assert config.source[0].max_bytes == 25_000_000
        assert config.relay[0].port == 587
        assert config.relay[0].window == 16
        assert config.broker.embedded
        assert config.broker.ack_wait_seconds == 10
        assert config.site.base_url == "https://lists.example.org"
        assert config.web is None
        assert config.warnings == ()

    def test_the_readme_is_right(self, load: Load, pytestconfig: pytest.Config) -> None:
        """The settings that the README shows a newcomer are accepted, and fit in ten lines."""
        readme = (pytestconfig.rootpath / "README.md").read_text()
        example = readme.partition("```toml\n")[2].partition("```")[0]
        assert len(example.splitlines()) <= 10
        config = load(example)
        assert config.warnings == ()
        assert config.source
        assert config.relay

    def test_relative_paths_count_from_the_settings_file(self, load: Load, tmp_path: Path) -> None:
        """A service started anywhere finds the same files."""
        config = load()
        assert config.site.state_dir == tmp_path / "state"
        assert config.source[0].password_file == tmp_path / "imap.pass"
        assert config.relay[0].password_file == Path("/etc/postroad/smtp.pass")

    @pytest.mark.parametrize(("tls", "port"), [("implicit", 465), ("starttls", 587), ("none", 25)])
    def test_port_follows_tls(self, load: Load, tls: str, port: int) -> None:
        """A relay's port is the usual one for its tls setting unless it is named."""
        assert load(f'{MINIMAL}tls = "{tls}"\n').relay[0].port == port
        assert load(f'{MINIMAL}tls = "{tls}"\nport = 2525\n').relay[0].port == 2525

    def test_site_domain_is_always_a_list_domain(self, load: Load) -> None:
        """Lists may live in the site's domain and in every [[domain]]."""
        config = load(f'{MINIMAL}\n[[domain]]\nname = "Example.NET"\nrelay = "out"\n')
        assert [d.name for d in config.domain] == ["example.net", "lists.example.org"]

    def test_first_domain_stands_in_for_the_site(self, load: Load) -> None:
        """Where [site] names no domain, the first [[domain]] is it."""
        config = load('[[domain]]\nname = "lists.example.net"\n')
        assert config.site.domain == "lists.example.net"


class TestPlaces:
    def test_the_first_existing_place_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """POSTROAD_CONFIG wins over ./postroad.toml, which is read without being named."""
        monkeypatch.chdir(tmp_path)
        for name in ("postroad.toml", "other.toml"):
            (tmp_path / name).write_text(f'[site]\nname = "{name}"\ndomain = "example.org"\n')
        assert Config.load(None, {}).site.name == "postroad.toml"
        assert Config.load(None, {"POSTROAD_CONFIG": "other.toml"}).site.name == "other.toml"

    def test_no_settings_at_all_says_how_to_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A newcomer without settings is told where they go and about the demo."""
        monkeypatch.chdir(tmp_path)
        if PLACES[1].exists():
            pytest.skip(f"{PLACES[1]} exists on this machine")
        with pytest.raises(SettingsError, match=r"postroad\.toml.*--config FILE.*postroad demo"):
            Config.load(None, {})

    def test_a_folder_of_somebody_elses_has_no_settings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where root ran `sudo -u postroad`, the folder may be closed to us: look in /etc."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("postroad.runtime.config.PLACES", PLACES[:1] * 2)
        tmp_path.chmod(0)
        with as_another_user(), pytest.raises(SettingsError, match="there are no settings"):
            Config.load(None, {})

    def test_a_named_file_must_exist(self, tmp_path: Path) -> None:
        """A file named with --config and not there is told by name."""
        with pytest.raises(SettingsError, match=r"/missing\.toml does not exist"):
            Config.load(tmp_path / "missing.toml", {})

    def test_broken_toml_is_one_line_with_its_number(self, refuse: Refuse) -> None:
        """A slip of syntax names its line, without a traceback."""
        message = refuse('[site]\nname = "x\n')
        assert "is not valid TOML" in message
        assert "line 2" in message
        assert "\n" not in message

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        """A file that is not UTF-8 is told, not guessed at."""
        (tmp_path / "latin.toml").write_bytes(b'[site]\nname = "\xe9"\n')
        with pytest.raises(SettingsError, match="not UTF-8"):
            Config.load(tmp_path / "latin.toml", {})


class TestMistakes:
    @pytest.mark.parametrize(
        ("addition", "told"),
        [
            ("hots = 'x'", '[[relay]] "out": unknown key "hots"; did you mean "host"?'),
            ("password = 'hunter2'", 'unknown key "password"; did you mean "password_file"?'),
            ("port = 70000", '[[relay]] "out" port: expected integer <= 65535'),
            ("port = 'smtp'", '[[relay]] "out" port: expected integer, got text'),
            ("window = 0", '[[relay]] "out" window: expected integer >= 1'),
            ("tls = 'ssl'", '[[relay]] "out" tls: "ssl" is not one of implicit, starttls, none'),
            ("[sites]\nname = 'x'", 'unknown section "sites"; did you mean "site"?'),
            ("[broker]\nurl = 'http://x'", '[broker] url must be "embedded" or nats://'),
            ("[broker]\nreplicas = 2", '[broker] replicas: "2" is not one of 1, 3, 5'),
            ("[broker]\nreplicas = 3", "[broker] replicas: the embedded broker is one server"),
            ("[broker]\nack_wait = 'soon'", '[broker] ack_wait: "soon" is not a duration'),
            ("[telemetry]\notlp_endpoint = 'x'", "[telemetry] otlp_endpoint: not a URL"),
            ("[[domain]]\nname = 'a b'", '"a b" is not a mail domain'),
            ("[[domain]]\nname = 'b.org'\nrelay = 'uot'", 'no "uot"; did you mean "out"?'),
            ("retry_after = 'soon'", '[[relay]] "out" retry_after: "soon" is not a duration'),
            ("[[domain]]\nrelay = 'out'", "[[domain]] 0: name is missing"),
            ("[web]\nport = 0", "[web] port: expected integer >= 1"),
            ("[[site]]", "not valid TOML"),
            ("[[broker]]", "broker must be one table: write [broker]"),
        ],
    )
    def test_a_mistake_names_section_key_and_remedy(
        self, refuse: Refuse, addition: str, told: str
    ) -> None:
        """Every wrong setting is refused in words that say where and what instead."""
        message = refuse(f"{MINIMAL}{addition}\n")
        assert told in message
        assert "hunter2" not in message

    @pytest.mark.parametrize(
        ("addition", "told"),
        [
            ("name = 'In Box'", '[[source]] "In Box" name: use up to 63 of a-z'),
            ("host = 'a b'", 'host: "a b" is not the name or address of a host'),
            ("user = ''", "user is empty"),
            ("password_file = 3", "password_file: expected the path of a file"),
            ("after = 'move'", 'after: "move" is not one of'),
            ("poll = '0s'", 'poll: "0s" is too small'),
            ("max_size = 'big'", 'max_size: "big" is not a size'),
            ("domain = 'lists.example.com'", 'did you mean "lists.example.org"?'),
            ("recipient_headers = ['Delivered To']", '"Delivered To" is not the name of a header'),
            ("recipient_headers = 'Delivered-To'", "recipient_headers: expected array, got text"),
            ("start = 'unsean'", '"unsean" is not one of now, unseen, all'),
        ],
    )
    def test_a_wrong_source_is_refused(self, refuse: Refuse, addition: str, told: str) -> None:
        """Every setting of a source is checked before anything connects."""
        key = addition.split(maxsplit=1)[0]
        lines = {"name": "'a'", "host": "'h'", "user": "'u'", "password_file": "'p'"}
        source = "\n".join(f"{k} = {v}" for k, v in lines.items() if k != key)
        site = "[site]\ndomain = 'lists.example.org'\n"
        assert told in refuse(f"{site}[[source]]\n{source}\n{addition}\n")

    def test_all_problems_are_listed_at_once(self, refuse: Refuse) -> None:
        """Nobody mends one line to be told the next."""
        message = refuse(f"{MINIMAL}weihgt = 3\nport = -1\n[broker]\nurl = 'x'\n[wbe]\nport = 1\n")
        assert "4 problems" in message
        for name in ("weihgt", "port", "url", "wbe"):
            assert name in message

    @pytest.mark.parametrize(
        ("addition", "told"),
        [
            ("[[source]]\nprofile = 'gmial'\nuser = 'u'", 'mean "gmail"?'),
            ("[[relay]]\nprofile = 'SES'\nuser = 'u'", 'mean "ses"?'),
            ("[[relay]]\nhost = 'h'\ntls = 'starttsl'", 'mean "starttls"?'),
            ("[[relay]]\nhost = 'h'\nenvelope = 'verb'", 'mean "verp"?'),
        ],
    )
    def test_a_wrong_value_has_a_nearest_right_one(
        self, refuse: Refuse, addition: str, told: str
    ) -> None:
        """A slip in a value is told with the value that was meant, in one line: what an unknown
        profile would have set is not missing too."""
        report = refuse(f"[site]\ndomain = 'example.org'\n{addition}")
        assert told in report
        assert "missing" not in report
        assert "of ," not in report
        assert len(report.splitlines()) == 1

    def test_names_are_unique(self, refuse: Refuse) -> None:
        """Two relays of one name could not be told apart in the ledger or in status."""
        message = refuse(MINIMAL + '[[relay]]\nname = "out"\nhost = "h"\n')
        assert '[[relay]] "out" stands 2 times' in message

    def test_a_login_needs_both_halves(self, refuse: Refuse) -> None:
        """A user without a password file, or the reverse, is a slip."""
        relay = '[[relay]]\nname = "b"\nhost = "h"\n'
        assert "password_file is missing" in refuse(f'{MINIMAL}{relay}user = "u"\n')
        assert "user is missing" in refuse(f'{MINIMAL}{relay}password_file = "p"\n')

    @pytest.mark.parametrize(
        ("section", "key"), [(section, key) for section in LATER for key in LATER[section]]
    )
    def test_settings_of_later_releases_are_refused(
        self, refuse: Refuse, section: str, key: str
    ) -> None:
        """What this release cannot do is said, never silently ignored."""
        entry = f"[[{section}]]\nname = 'x.org'\n{key} = 'other'\n"
        assert f"{key} is not available in this release" in refuse(entry)

    def test_saying_what_happens_anyway_is_allowed(self, load: Load) -> None:
        """A setting of a later release may be given the value that this release has built in."""
        assert load(MINIMAL + 'null_sender = true\nenvelope = "verp"\nweight = 1\n').relay

    @pytest.mark.parametrize(
        ("section", "key", "value"),
        [(section, key, v) for (section, key), values in LATER_VALUES.items() for v in values],
    )
    def test_kinds_of_later_releases_are_refused(
        self, refuse: Refuse, section: str, key: str, value: str
    ) -> None:
        """A kind of source or relay that does not exist yet is named as such."""
        message = refuse(f"[[{section}]]\n{key} = '{value}'\n")
        assert f"{section} {key} '{value}' is not available in this release" in message

    def test_without_any_near_name_all_are_shown(self) -> None:
        """Where nothing is near, the choice is small enough to show."""
        assert nearest("zzz", ["host", "port"]) == " (there are: host, port)"


class TestEnvironment:
    def test_environment_wins_and_is_typed_by_its_field(self, load: Load) -> None:
        """Every value can come from the environment, as text, number, truth or list."""
        config = load(
            POSTROAD_SITE__NAME="7",
            POSTROAD_BROKER__URL="nats://a:4222,nats://b:4222",
            POSTROAD_BROKER__REPLICAS="3",
            POSTROAD_SOURCE__0__PORT="1143",
            POSTROAD_SOURCE__INBOX__IDLE="false",
            POSTROAD_SOURCE__inbox__RECIPIENT_HEADERS="Delivered-To, X-Original-To",
            POSTROAD_SOURCE__0__PASSWORD_FILE="/run/secrets/imap",
            POSTROAD_WEB__PORT="8000",
        )
        assert config.site.name == "7"
        assert config.broker.replicas == 3
        assert config.source[0].port == 1143
        assert config.source[0].idle is False
        assert config.source[0].recipient_headers == ("Delivered-To", "X-Original-To")
        assert config.source[0].password_file == Path("/run/secrets/imap")
        assert config.web is not None
        assert config.web.port == 8000

    def test_next_number_adds_an_entry(self, load: Load) -> None:
        """A container can be given a further relay by environment alone."""
        config = load(POSTROAD_RELAY__1__HOST="two.example.org", POSTROAD_RELAY__1__NAME="two")
        assert [relay.name for relay in config.relay] == ["out", "two"]

    def test_entries_are_added_in_counting_order(self, load: Load) -> None:
        """The tenth entry comes after the second, not before it."""
        extra = {f"POSTROAD_RELAY__{n}__HOST": "h" for n in range(1, 12)}
        names = {f"POSTROAD_RELAY__{n}__NAME": f"r{n}" for n in range(1, 12)}
        config = load(**extra, **names)
        assert [relay.name for relay in config.relay][9:] == ["r9", "r10", "r11"]

    @pytest.mark.parametrize(
        ("name", "value", "told"),
        [
            ("POSTROAD_BROKER__UR", "x", 'no setting "ur"; did you mean "url"?'),
            ("POSTROAD_BROKR__URL", "x", 'unknown section "brokr"; did you mean "broker"?'),
            ("POSTROAD_BROKER_URL", "x", "did you mean POSTROAD_BROKER__URL?"),
            ("POSTROAD_SOURCE_HOST", "x", "did you mean POSTROAD_SOURCE__0__HOST?"),
            ("POSTROAD_SITE", "x", "did you mean POSTROAD_SITE__KEY?"),
            ("POSTROAD_SOURCE__INBX__HOST", "x", 'no [[source]] "INBX"; did you mean "inbox"?'),
            ("POSTROAD_SOURCE__5__HOST", "x", 'no [[source]] "5"'),
            ("POSTROAD_SOURCE__0", "x", 'no setting ""'),
            ("POSTROAD_SOURCE__0__PORT", "x", "expected integer, got text"),
            ("POSTROAD_SOURCE__0__IDLE", "maybe", "expected true or false, got text"),
            ("POSTROAD_SOURCE__0__TLS", "ssl", '"ssl" is not one of'),
            ("POSTROAD_BROKER__REPLICAS", "2", '"2" is not one of 1, 3, 5'),
            ("POSTROAD_RELAY__0__WEIGHT", "2", "weight is not available in this release"),
            ("POSTROAD_ALARM__COMAND", "x", 'did you mean "command"?'),
        ],
    )
    def test_a_variable_that_sets_nothing_is_refused(
        self, refuse: Refuse, name: str, value: str, told: str
    ) -> None:
        """A misspelt variable is told like a misspelt key, by its own name."""
        message = refuse(**{name: value})
        assert told in message

    def test_other_variables_are_left_alone(self, load: Load) -> None:
        """Names that are no settings, ours or Kubernetes's, do not stop a start."""
        config = load(
            POSTROAD_CONFIG="x",
            POSTROAD_DEBUG="1",
            POSTROAD_CORPORA="x",
            POSTROAD_CRASHPOINT="sender.after_dot:3",
            POSTROAD_NO_SKIP="1",
            POSTROAD_PORT="tcp://10.0.0.1:80",
            POSTROAD_WEB_PORT="tcp://10.0.0.1:80",
            POSTROAD_WEB_SERVICE_HOST="10.0.0.1",
            POSTROAD_WEB_PORT_80_TCP_ADDR="10.0.0.1",
        )
        assert config == load()


class TestSecrets:
    def test_a_password_is_the_stripped_text_of_its_file(self, load: Load, tmp_path: Path) -> None:
        """An editor's last newline is not part of the password."""
        (tmp_path / "imap.pass").write_text("correct horse\n")
        assert load().source[0].password() == "correct horse"

    @pytest.mark.parametrize(
        ("content", "told"),
        [(None, "does not exist; create it"), (b" \n", "is empty"), (b"\xff", "not UTF-8")],
    )
    def test_an_unusable_password_file_is_named(
        self, load: Load, tmp_path: Path, content: bytes | None, told: str
    ) -> None:
        """A missing, empty or garbled file is told by name with its remedy."""
        if content is not None:
            (tmp_path / "imap.pass").write_bytes(content)
        with pytest.raises(SettingsError) as caught:
            load().source[0].password()
        assert told in str(caught.value)
        assert f'[[source]] "inbox" password_file: {tmp_path}/imap.pass' in str(caught.value)

    def test_check_secrets_lists_every_unusable_file(self, load: Load, tmp_path: Path) -> None:
        """Before anything starts, all wrong secret files are told together."""
        text = MINIMAL.replace("/etc/postroad/", "").replace(
            "[site]", '[site]\nsecret_file = "key"'
        )
        (tmp_path / "key").write_text("short")
        with pytest.raises(SettingsError) as caught:
            load(text).check_secrets()
        for name in ("imap.pass does not exist", "smtp.pass does not exist", "key holds fewer"):
            assert name in str(caught.value)

    def test_a_file_open_to_everybody_is_warned_of(self, load: Load, tmp_path: Path) -> None:
        """A password that every user of the machine can read works, with one warning."""
        (tmp_path / "imap.pass").write_text("x")
        (tmp_path / "imap.pass").chmod(0o644)
        (warning,) = load(MINIMAL.replace("/etc/postroad/smtp.pass", "imap.pass")).warnings
        assert "is readable by everybody on this machine" in warning
        assert f"chmod o-r {tmp_path}/imap.pass" in warning

    def test_a_password_in_the_clear_is_warned_of(self, load: Load) -> None:
        """A login without TLS is fine on this machine only."""
        assert 'tls = "none"' in load(MINIMAL + 'tls = "none"\n').warnings[0]
        local = MINIMAL.replace("smtp.example.org", "127.0.0.1")
        assert load(local + 'tls = "none"\n').warnings == ()


class TestSiteKey:
    def test_the_key_is_made_once_and_private(self, load: Load, tmp_path: Path) -> None:
        """The first use makes 32 bytes that only we may read; every later one finds them."""
        config = load()
        key = config.site_key()
        file = tmp_path / "state" / "site.key"
        assert len(key) == 32
        assert config.site_key() == key
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert [entry.name for entry in file.parent.iterdir()] == ["site.key"]

    def test_processes_that_start_together_agree(self, load: Load) -> None:
        """Two services on a new machine never work with two keys."""
        config = load()
        with ThreadPool(8) as pool:
            assert len(set(pool.map(lambda _: config.site_key(), range(32)))) == 1

    def test_an_operators_own_key_is_used(self, load: Load, tmp_path: Path) -> None:
        """secret_file may hold 32 bytes, or a longer text, whose last newline does not matter."""
        config = load(MINIMAL.replace("[site]", '[site]\nsecret_file = "key"'))
        (tmp_path / "key").write_bytes(bytes(range(32)))
        assert config.site_key() == bytes(range(32))
        (tmp_path / "key").write_text("ab" * 32)
        key = config.site_key()
        (tmp_path / "key").write_text("ab" * 32 + "\n")
        assert config.site_key() == key
        assert len(key) == 32

    def test_a_state_directory_that_cannot_be_is_told(self, load: Load, tmp_path: Path) -> None:
        """A state_dir in the way of a file is one clear line."""
        (tmp_path / "state").write_text("")
        with pytest.raises(SettingsError, match=r"\[site\] state_dir: "):
            load().site_key()


class TestQuantities:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("500ms", 0.5), ("60s", 60), ("1.5m", 90), ("2h", 7200), ("30d", 2_592_000), ("1 s", 1)],
    )
    def test_durations(self, text: str, seconds: float) -> None:
        """A duration is a number and a unit."""
        assert duration(text) == seconds

    @pytest.mark.parametrize(
        ("text", "count"), [("40KB", 40_000), ("25mb", 25_000_000), ("1MiB", 1 << 20), ("9", 9)]
    )
    def test_sizes(self, text: str, count: int) -> None:
        """KB and MB are decimal, KiB and MiB binary, a bare number is bytes."""
        assert size(text) == count

    @pytest.mark.parametrize("text", ["", "60", "-1s", "1w", "s", "1s1s", "١s", "1e9s"])
    def test_other_durations_are_refused(self, text: str) -> None:
        """A duration without its unit is a guess that we do not make."""
        with pytest.raises(SettingsError, match="is not a duration"):
            duration(text)
