"""The forms that settings have: names, hosts, addresses, URLs, quantities, logins.

Each yields a line for what is wrong; `where` is how it begins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from postroad.runtime.errors import SettingsError
from postroad.runtime.settings import OAuth2, Relay, Source
from postroad.runtime.settings_reader import nearest

LOOPBACK = ("localhost", "127.0.0.1", "::1")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # a token of NATS subjects and of keys in KV
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 1123 section 2.1
_NO_TENANT = ("organizations", "common", "consumers")  # Microsoft's names for anybody's


def unique(section: str, names: Sequence[str], unnamed: Sequence[str] = ()) -> Iterator[str]:
    """`unnamed` are what those without a name are called."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        many = names.count(name)
        if name in unnamed:
            yield (
                f'[[{section}]]: {many} are called "{name}", as one without a name is; '
                'give each its own, as in name = "second"'
            )
        else:
            yield f'[[{section}]] "{name}" stands {many} times; give each its own name'


def known(where: str, name: str, names: Sequence[str]) -> Iterator[str]:
    """A name that exists."""
    if name not in names:
        yield f'{where}: there is no "{name}"{nearest(name, names)}'


def entry_name(where: str, name: str) -> Iterator[str]:
    """A name that may stand in subjects and keys."""
    if not _NAME.fullmatch(name):
        yield f"{where} name: use up to 63 of a-z, 0-9, - and _"


def host(where: str, name: str) -> Iterator[str]:
    """The name or address of a host."""
    before, colon, port = name.rpartition(":")
    if colon and port.isdecimal() and ":" not in before:
        yield f'{where} host: "{name}" holds a port; write host = "{before}" and port = {port}'
    elif not re.fullmatch(r"[A-Za-z0-9._:-]+", name):
        yield f'{where} host: "{name}" is not the name or address of a host'


def name_server(text: str) -> tuple[str, int]:
    """Address and port of a name server: 192.0.2.1, 192.0.2.1:5353, 2001:db8::1, [2001:db8::1]:53.
    Raises ValueError for anything else."""
    found = re.fullmatch(r"(?:\[([^]]*)\]|([^:]*)):(\d{1,5})|(.*)", text)
    address = ipaddress.ip_address(found[1] or found[2] or found[4] or "" if found else "")
    if found is None or not 0 < (port := int(found[3] or 53)) < 65_536:
        raise ValueError("no such port")
    return str(address), port


def domain(where: str, name: str) -> Iterator[str]:
    """A mail domain."""
    if not is_name(name):
        yield f'{where}: "{name}" is not a mail domain such as "lists.example.org"'


def is_name(text: str) -> bool:
    """Whether this is a name in DNS."""
    return bool(_DOMAIN.fullmatch(text.lower()))


def is_address(text: str) -> bool:
    """Whether this is a plain address."""
    local, _, name = text.rpartition("@")
    return bool(re.fullmatch(r"[^\s@<>]+", local) and is_name(name))


def url(where: str, text: str, schemes: tuple[str, ...]) -> Iterator[str]:
    """A URL."""
    if not is_url(text, schemes):
        yield f"{where}: not a URL of the form {schemes[0]}://HOST"


def secure_url(where: str, text: str) -> Iterator[str]:
    """One that a secret may travel to."""
    loopback = is_url(text, ("http",)) and urlsplit(text).hostname in LOOPBACK
    yield from url(where, text, ("http",) if loopback else ("https",))


def is_url(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether this is a URL with a host."""
    try:
        parts = urlsplit(text)
        plain = bool(re.fullmatch(r"[!-~]+", text))
        return plain and parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an open bracket
        return False


def quantity(
    where: str, text: str, read: Callable[[str], float], least: float = 0.001
) -> Iterator[str]:
    """A duration or a size that is large enough."""
    try:
        if read(text) < least:
            yield f'{where}: "{text}" is too small'
    except SettingsError as error:
        yield f"{where}: {error}"


def one_login(where: str, account: Source | Relay) -> Iterator[str]:
    """Either a password or a token."""
    if account.oauth2 is not None:
        if account.password_file is not None:
            yield f"{where}: password_file and oauth2 exclude each other; remove one"
        yield from _alone(f"{where} oauth2", account.oauth2)
        yield from _provider(f"{where} oauth2", account.oauth2)


def _alone(where: str, oauth2: OAuth2) -> Iterator[str]:
    """What a login without a person needs."""
    if oauth2.flow != "client_credentials":
        return
    if oauth2.client_secret_file is None:
        yield f"{where}: client_secret_file is missing; client_credentials needs one"
    if oauth2.provider == "google":
        yield f'{where} flow: google has no "client_credentials" for mail; use "login"'
    if oauth2.provider == "microsoft" and oauth2.tenant in _NO_TENANT and not oauth2.token_url:
        yield f"{where}: tenant is missing; client_credentials needs that of your directory"


def _provider(where: str, oauth2: OAuth2) -> Iterator[str]:
    """URLs that tokens may travel to, and of a custom provider all that nobody can guess."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+", oauth2.tenant):
        yield f'{where} tenant: "{oauth2.tenant}" is not the id or domain of a directory'
    if oauth2.provider == "custom" and not oauth2.token_url:
        yield f"{where}: token_url is missing; a custom provider needs it"
    for key in ("token_url", "authorize_url", "device_url"):
        if text := getattr(oauth2, key):
            yield from secure_url(f"{where} {key}", text)
