"""A token as a service would get it: a stored one, renewed where that is due."""

from __future__ import annotations

from datetime import UTC, datetime

from postroad.cli.doctor.judge.token import Token
from postroad.runtime.config import Config
from postroad.runtime.oauth import TokenError, Tokens, lifetime
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Store
from postroad.runtime.settings import Relay, Source


async def look(config: Config, tokens: Tokens, account: Source | Relay) -> Token:
    """Whether there is one, and how long it is good; where none is needed, all is well."""
    if account.oauth2 is None:
        return Token()
    try:
        await tokens.access(account)
        login = Store(config.site.state_dir).read(identity(account))
    except TokenError as error:
        return Token(problem=error.reason, lasting=error.lasting)
    if login is None or login.issued is None:
        return Token()
    age = lifetime.age(login.issued, lifetime.now())
    return Token(
        seconds=login.lifetime - age if age is not None else None,
        since=datetime.fromtimestamp(login.since, UTC) if login.since else None,
    )
