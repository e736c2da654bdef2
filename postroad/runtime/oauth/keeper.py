"""One login kept fresh: the token there is, and its renewal under lock."""

from __future__ import annotations

import contextlib
import random

from postroad.runtime.crashpoint import crashpoint
from postroad.runtime.errors import SettingsError
from postroad.runtime.oauth import endpoint, lifetime, renewal
from postroad.runtime.oauth.provider import provider, settings
from postroad.runtime.oauth.refusals import Refusal, TokenError, turned_down
from postroad.runtime.oauth.refusals import refused as refused_by
from postroad.runtime.oauth.store import Login, Store, Version
from postroad.runtime.settings import Relay, Source


class Keeper:
    """One login in this process. `present` is quick; `renewed` blocks, for a thread. Both raise
    TokenError, and SettingsError when the client secret cannot be read."""

    def __init__(self, store: Store, identity: str) -> None:
        self._store = store
        self._identity = identity
        self._version: Version | None = None
        self._login: Login | None = None
        self._chance = random.random()  # noqa: S311 - spreads renewals, guards nothing
        self._unsaved: tuple[str, Login] | None = None  # a refresh token, and what came instead

    def present(self, account: Source | Relay, refused: str = "") -> str:
        """The token to use now, or "" when it must be renewed first."""
        version = self._store.version(self._identity)
        if version is None or version != self._version:
            self._login = self._store.read(self._identity)
            self._version = version
        return self._usable(self._login, account, refused)

    def trouble(self, account: Source | Relay) -> TokenError | None:
        """Why the last renewal failed, though the token may live."""
        failure = self._login.failure if self._login is not None else None
        return refused_by(failure.refusal, account) if failure is not None else None

    def renewed(self, account: Source | Relay, refused: str = "") -> str:
        """The token to use, after asking the provider unless another process just did."""
        with self._store.locked(self._identity):
            login = self._saved(self._store.read(self._identity))
            token = self._usable(login, account, refused)
            if token:
                return token
            login = login or Login()
            try:
                return self._renewed(login, account, refused)
            except TokenError:
                if renewal.lives(login, lifetime.now(), refused):
                    return login.access_token
                raise

    def _usable(self, login: Login | None, account: Source | Relay, refused: str) -> str:
        """The token, or "" to ask for one."""
        if settings(account).flow == "login" and (login is None or not login.refresh_token):
            raise refused_by(Refusal("no_login"), account)
        if login is None:
            return ""
        step = renewal.judge(
            login,
            lifetime.now(),
            refused=refused,
            chance=self._chance,
            asked=lambda: renewal.digest(question(login, account)),
        )
        match step:
            case "use":
                return login.access_token
            case "ask":
                return ""
            case "failed":
                assert login.failure is not None
                raise refused_by(login.failure.refusal, account)
            case "turned down":
                raise turned_down(account, lasting=login.turned_down >= lifetime.SUSPECT)

    def _renewed(self, login: Login, account: Source | Relay, refused: str) -> str:
        asked = question(login, account)
        try:
            grant = endpoint.token(account, asked)
        except endpoint.Refused as error:
            digest, after = renewal.digest(asked), error.retry_after
            failed = renewal.failed(login, error.refusal, digest, lifetime.now(), after)
            with contextlib.suppress(OSError, SettingsError):  # then it is only not remembered
                self._store.write(self._identity, failed)
            raise refused_by(error.refusal, account) from None
        crashpoint("oauth.granted")
        self._save(login, renewal.granted(login, grant, refused=refused))
        crashpoint("oauth.saved")
        return grant.access_token

    def _save(self, old: Login, new: Login) -> None:
        try:
            self._store.write(self._identity, new)
        except (OSError, SettingsError) as error:
            self._unsaved = old.refresh_token, new  # the old refresh token may be dead by now
            why = getattr(error, "strerror", None) or str(error)
            text = f"a renewed token cannot be stored in state_dir: {why.lower()}; make room there"
            raise TokenError(text, lasting=False) from None
        self._unsaved = None

    def _saved(self, login: Login | None) -> Login | None:
        """The stored login; first that which no disk took when it was renewed."""
        if self._unsaved is None:
            return login
        replaced, new = self._unsaved
        if login is not None and login.refresh_token != replaced:
            self._unsaved = None  # somebody has logged in anew
            return login
        self._save(Login(refresh_token=replaced), new)
        return new


def question(login: Login, account: Source | Relay) -> str:
    """What is asked of the token endpoint to renew a login."""
    scope = provider(settings(account)).scope
    if settings(account).flow == "client_credentials":
        return endpoint.form(account, "client_credentials", scope=scope)
    return endpoint.form(account, "refresh_token", refresh_token=login.refresh_token, scope=scope)
