"""Logins on disk: private, whole, and one writer at a time."""

from __future__ import annotations

import os
import stat
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from postroad.runtime.oauth import TokenError
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.refusals import Refusal
from postroad.runtime.oauth.store import Failure, Login, Store
from postroad.runtime.settings import OAuth2, Relay, Source

LOGIN = Login(
    refresh_token="r",
    access_token="a",
    lifetime=3_600.0,
    issued=Stamp("b", 1.0, 2.0),
    failure=Failure(Refusal("http", status=503), Stamp("b", 3.0, 4.0), 2, 4.0, "digest"),
)


def account(**oauth2: str) -> Source:
    """A source that logs in by token."""
    table: dict[str, str] = {"provider": "google", "client_id": "id", **oauth2}
    return Source(host="h", user="Lists@Example.org", oauth2=OAuth2(**table))  # type: ignore[arg-type]


def test_a_login_comes_back_as_it_was(tmp_path: Path) -> None:
    """What is stored is read again, and its version changes with every write."""
    store = Store(tmp_path)
    assert store.read("x") is None
    assert store.version("x") is None
    store.write("x", LOGIN)
    first = store.version("x")
    assert store.read("x") == LOGIN
    store.write("x", LOGIN)
    assert store.version("x") != first


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """The folder is for its owner alone, and so is each file in it, drafts and locks included."""
    before = os.umask(0)
    try:
        store = Store(tmp_path)
        store.write("x", LOGIN)
        with store.locked("x", 1.0):
            files = list((tmp_path / "oauth").iterdir())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "oauth").stat().st_mode) == 0o700
    assert {file.name for file in files} == {"x.json", "x.lock"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A login is replaced as a whole or not at all, and no draft stays behind."""
    store = Store(tmp_path)
    store.write("x", LOGIN)
    (tmp_path / "oauth" / "y.json").mkdir()
    with pytest.raises(OSError):
        store.write("y", LOGIN)
    assert store.read("x") == LOGIN
    assert {file.name for file in (tmp_path / "oauth").iterdir()} == {"x.json", "y.json"}


def test_one_at_a_time(tmp_path: Path) -> None:
    """While one renews, another waits for as long as it likes, and no longer."""
    store = Store(tmp_path)
    with ThreadPool(1) as other, store.locked("x", 1.0):
        with pytest.raises(TokenError) as caught:
            other.apply(lambda: store.locked("x", 0.05).__enter__())
        assert not caught.value.lasting
    with store.locked("x", 0.0):
        pass


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """A file that is none of ours is named, with the remedy."""
    store = Store(tmp_path)
    store.write("x", LOGIN)
    (tmp_path / "oauth" / "x.json").write_bytes(b"{")
    with pytest.raises(TokenError, match="is damaged; delete it and log in again"):
        store.read("x")


def test_a_source_and_a_relay_of_one_account_share_a_login() -> None:
    """One account is one login; another user, client, provider, flow or scope is another."""
    source = account()
    relay = Relay(host="other", user="lists@example.org", oauth2=source.oauth2)
    others = [
        account(client_id="other"),
        account(scope="other"),
        account(provider="microsoft"),
        account(token_url="https://example.org/token"),
        account(provider="microsoft", tenant="other"),
        account(provider="microsoft", flow="client_credentials"),
    ]
    assert identity(relay) == identity(source)
    assert len({identity(other) for other in [source, *others]}) == 7


def test_the_name_of_a_file_holds_no_address() -> None:
    """Who lists the folder learns nobody's address."""
    assert set(identity(account())) <= set("0123456789abcdef")
