"""Access tokens for all accounts of one process."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from postroad.runtime.config import Config
from postroad.runtime.errors import SettingsError
from postroad.runtime.oauth.background import in_background
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.refusals import TokenError, turned_down
from postroad.runtime.oauth.store import Store
from postroad.runtime.settings import Relay, Source

if TYPE_CHECKING:
    from postroad.runtime.oauth.keeper import Keeper

PATIENCE = 45.0  # for a renewal: another process may be at it first, and both may time out


class Tokens:
    """One for each process, on one event loop; see the package."""

    def __init__(self, config: Config) -> None:
        self._store = Store(config.site.state_dir)
        self._keepers: dict[str, Keeper] = {}
        self._renewals: dict[str, asyncio.Task[str]] = {}

    async def access(self, account: Source | Relay, *, refused: str = "") -> str:
        """A valid access token of an account with oauth2. `refused` is one that its server has
        just turned down. Raises TokenError."""
        name = identity(account)
        keeper = self._keeper(name)
        try:
            for _ in range(2):  # a second time if a renewal that others began kept what we may not
                token = keeper.present(account, refused)
                if not token:
                    renewal = self._renewal(name, account, refused)
                    token = await asyncio.wait_for(asyncio.shield(renewal), PATIENCE)
                if token != refused:
                    return token
            raise turned_down(account, lasting=False)
        except TimeoutError:
            raise TokenError("the token is still being renewed", lasting=False) from None
        except SettingsError as error:  # the client secret cannot be read
            raise TokenError(str(error)) from None

    def trouble(self, account: Source | Relay) -> TokenError | None:
        """Why the last renewal failed, as of the last `access`: the present token may live on for
        some minutes, and whoever must log in again should know by then."""
        return self._keeper(identity(account)).trouble(account)

    def _renewal(self, name: str, account: Source | Relay, refused: str) -> asyncio.Task[str]:
        if name not in self._renewals:
            # in a thread: a caller that is cancelled does not take the renewal with it
            work = in_background(partial(self._keeper(name).renewed, account, refused))
            renewal = self._renewals[name] = asyncio.create_task(work)
            renewal.add_done_callback(lambda done: self._finished(name, done))
        return self._renewals[name]

    def _keeper(self, name: str) -> Keeper:
        if name not in self._keepers:
            # httpx and authlib: 0.2 s and memory that a process without OAuth2 need not spend
            from postroad.runtime.oauth.keeper import Keeper  # noqa: PLC0415

            self._keepers[name] = Keeper(self._store, name)
        return self._keepers[name]

    def _finished(self, name: str, renewal: asyncio.Task[str]) -> None:
        del self._renewals[name]
        if not renewal.cancelled():
            renewal.exception()  # seen by whoever waited; where nobody did, the next call asks
