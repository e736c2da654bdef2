"""The keys of a domain, with what DNS has to say of them."""

from __future__ import annotations

from postroad.mail.dkim import Key
from postroad.runtime.config import Domain
from postroad.runtime.signingkeys import signing_keys


def keys_of(domain: Domain) -> tuple[Key, ...]:
    """Every key that copies of this domain are signed with. SettingsError as `signing_keys`."""
    return tuple(Key(domain.name, selector, key) for selector, key in signing_keys(domain))
