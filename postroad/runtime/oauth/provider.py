"""What is known of providers: where their tokens come from, and for what scope."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from postroad.runtime.settings import OAuth2, Relay, Source

# Google: developers.google.com/identity/protocols/oauth2/native-app. Without offline access and
# asking for consent again there is no refresh token. Its device flow is closed to the mail scope.
_GOOGLE_ASKS = {"access_type": "offline", "prompt": "consent"}
# Microsoft: learn.microsoft.com "Authenticate an IMAP, POP or SMTP connection using OAuth"
_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/"
_MICROSOFT_SCOPE = (
    "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send "
    "offline_access"
)
_MICROSOFT_POP3 = _MICROSOFT_SCOPE.replace("IMAP.", "POP.")
_MICROSOFT_ALONE = "https://outlook.office365.com/.default"


@dataclass(frozen=True)
class Provider:
    """URLs ("" for what it has not), scope and habits. `extra` goes into the URL that a person
    opens; `redirect_host` is the name of this machine that it accepts with any port."""

    token_url: str
    scope: str
    authorize_url: str = ""
    device_url: str = ""
    redirect_host: str = "127.0.0.1"
    by_device: bool = False  # device code is the usual way, rather than a browser
    extra: Mapping[str, str] = field(default_factory=dict)


def provider(oauth2: OAuth2) -> Provider:
    """The provider of an account, its presets overridden by the settings."""
    known = _preset(oauth2)
    return Provider(
        token_url=oauth2.token_url or known.token_url,
        scope=oauth2.scope or known.scope,
        authorize_url=oauth2.authorize_url or known.authorize_url,
        device_url=oauth2.device_url or known.device_url,
        redirect_host=known.redirect_host,
        by_device=known.by_device,
        extra=known.extra,
    )


def identity(account: Source | Relay) -> str:
    """The name of an account's login: the same for all who can share one, and without address."""
    oauth2 = settings(account)
    known = provider(oauth2)
    told = [oauth2.provider, known.token_url, oauth2.client_id, account.user.casefold()]
    told += [oauth2.flow, known.scope]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:24]


def settings(account: Source | Relay) -> OAuth2:
    """The oauth2 of an account that has one."""
    oauth2 = account.oauth2
    assert oauth2 is not None, f"{account.name} logs in by password"
    by_person = oauth2.provider == "microsoft" and oauth2.flow == "login"
    if account.kind == "pop3" and by_person and not oauth2.scope:
        return msgspec.structs.replace(oauth2, scope=_MICROSOFT_POP3)
    return oauth2


def _preset(oauth2: OAuth2) -> Provider:
    match oauth2.provider:
        case "google":
            return Provider(
                token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - no secret
                authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
                scope="https://mail.google.com/",
                extra=_GOOGLE_ASKS,
            )
        case "microsoft":
            url = _MICROSOFT.format(tenant=oauth2.tenant)
            alone = oauth2.flow == "client_credentials"
            return Provider(
                token_url=f"{url}token",
                scope=_MICROSOFT_ALONE if alone else _MICROSOFT_SCOPE,
                authorize_url=f"{url}authorize",
                device_url=f"{url}devicecode",
                redirect_host="localhost",  # 127.0.0.1 would have to be registered with its port
                by_device=True,
            )
        case _:
            return Provider(token_url="", scope="")
