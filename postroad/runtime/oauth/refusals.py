"""Why there is no token, in plain words: what happened, what becomes of mail, what to run.

Of what a provider says only error codes are kept (RFC 6749 section 5.2, Microsoft's AADSTS
numbers): its descriptions name people.
"""

from __future__ import annotations

import msgspec

from postroad.runtime.errors import PostroadError
from postroad.runtime.oauth.provider import settings
from postroad.runtime.settings import Relay, Source

_LOGIN = "log in again with: postroad oauth login {name}"
_CAUSES = {  # why a login ends
    "google": 'an app in "testing" loses its login after 7 days (publish it); or the password was '
    "changed, access was revoked, or nobody used it for 6 months",
    "microsoft": "the password was changed, access was revoked, or nobody used it for 90 days",
    "custom": "it has expired, the password was changed, or access was revoked",
}
# learn.microsoft.com/entra/identity-platform/reference-error-codes; the numbers only choose words
_MICROSOFT = {
    "50034": "there is no such user in this tenant; check user and tenant, then " + _LOGIN,
    "50057": "the account is disabled; have it enabled, then " + _LOGIN,
    "50076": "the tenant wants a second factor; " + _LOGIN,
    "50079": "the tenant wants a second factor to be set up; do so, then " + _LOGIN,
    "50173": "the password was changed or access was revoked; " + _LOGIN,
    "53003": "a Conditional Access policy of the tenant blocks the app; have it allowed, then "
    + _LOGIN,
    "65001": "nobody has consented to the app's permissions; consent while you " + _LOGIN,
    "700016": "the tenant knows no app of this client_id; check client_id and tenant",
    "700025": "the app is public: remove client_secret_file",
    "700082": "nobody used the login for 90 days; " + _LOGIN,
    "7000215": "the client secret is wrong; write its value (not its id) into client_secret_file",
    "7000218": "the app is confidential: set client_secret_file, or allow public client flows",
    "7000222": "the client secret has expired; make a new one and write it into client_secret_file",
    "90002": "there is no such tenant; check tenant",
}
_ERRORS = {
    "invalid_grant": "the login is no longer valid: {causes}; " + _LOGIN,
    "interaction_required": "somebody must log in in person: a second factor or a policy asks for "
    "it; " + _LOGIN,
    "login_required": "somebody must log in in person; " + _LOGIN,
    "consent_required": "nobody has consented to the app's permissions; consent while you "
    + _LOGIN,
    "invalid_client": "the client_id or its secret is wrong or has expired; check client_id and "
    "client_secret_file",
    "unauthorized_client": "this client may not log in this way; allow it where the app is "
    'registered, or check client_id and flow = "{flow}"',
    "unsupported_grant_type": 'the provider offers no flow = "{flow}"; check flow and token_url',
    "invalid_scope": "the provider does not give the scope; check scope, and the app's permissions",
    "access_denied": "access was denied; allow it while you " + _LOGIN,
    "no_refresh_token": "the provider gave no login that lasts; google: remove the app's access "
    "from the account first; custom: scope may need offline_access; then " + _LOGIN,
    "no_mail_scope": "access to mail was not granted; tick it while you " + _LOGIN,
    "expired_token": "nobody entered the code in time; " + _LOGIN,
    "no_login": "nobody has logged in yet; run: postroad oauth login {name}",
}
_PASSING = {
    "temporarily_unavailable": "is unavailable",
    "server_error": "has an error of its own",
    "slow_down": "asks us to slow down",
    "timeout": "does not answer within 12 s",
    "unreachable": "cannot be reached; check token_url and the network",
    "untrusted": "has a certificate that cannot be trusted; check token_url, or name its authority "
    "in SSL_CERT_FILE",
    "no_token": "answers with what is no token; check token_url",
}
_OURS = ("no_refresh_token", "no_mail_scope")  # not what a provider said


class TokenError(PostroadError):
    """There is no valid access token. `reason` is for a person; `lasting`: only a person can mend
    it, otherwise it is tried again by itself."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider said, or what befell the question: an error of RFC 6749 or a name of ours,
    the number of Microsoft's ("" elsewhere), the status of HTTP (0: no answer)."""

    error: str
    number: str = ""
    status: int = 0

    @property
    def lasting(self) -> bool:
        """Whether asking again is pointless."""
        return self.error not in _PASSING and self.error != "http" and self.status != 429


def refused(refusal: Refusal, account: Source | Relay) -> TokenError:
    """What a service raises for a refusal."""
    return TokenError(_explained(refusal, account), lasting=refusal.lasting)


def turned_down(account: Source | Relay, *, lasting: bool) -> TokenError:
    """What to raise when the server turns down one new token after the other."""
    return TokenError(
        f"{account.host} turns down new tokens: check that user is who logged in, that IMAP and "
        f"SMTP are enabled for this account, and scope; then log in again with: "
        f"postroad oauth login {account.name}",
        lasting=lasting,
    )


def at_login(refusal: Refusal, account: Source | Relay, key: str = "token_url") -> TokenError:
    """What to raise to a person who is logging in: nothing goes on by itself. `key` is the
    setting of the URL that was asked."""
    if refusal.lasting:
        return TokenError(_lasting(refusal, account, ""))
    return TokenError(f"{passing(refusal, account, key)}; run the command again", lasting=False)


def passing(refusal: Refusal, account: Source | Relay, key: str = "token_url") -> str:
    """What befell a question that may be put again."""
    what = _PASSING.get(refusal.error, f"answers HTTP {refusal.status}; check token_url")
    told = f"the token endpoint of {settings(account).provider} {what}"
    if key == "token_url":
        return told
    return told.replace("token endpoint", "device endpoint").replace("token_url", key)


def _explained(refusal: Refusal, account: Source | Relay) -> str:
    if not refusal.lasting:
        return f"{passing(refusal, account)}; tried again by itself"
    waits = "on its server" if isinstance(account, Source) else "here"
    return _lasting(refusal, account, f" and mail waits {waits}")


def _lasting(refusal: Refusal, account: Source | Relay, waits: str) -> str:
    oauth2 = settings(account)
    words = _MICROSOFT.get(refusal.number) or _ERRORS.get(
        refusal.error, "check the settings of oauth2, then " + _LOGIN
    )
    told = words.format(name=account.name, flow=oauth2.flow, causes=_CAUSES[oauth2.provider])
    if refusal.error == "no_login":  # nobody was asked
        return told
    code = f"{refusal.error} AADSTS{refusal.number}" if refusal.number else refusal.error
    code = "" if refusal.error in _OURS else f" ({code})"
    return f"{oauth2.provider} gives no token{code}{waits}: {told}"
