"""What is known of mail providers, as defaults of [[source]] and [[relay]] (`profile = "gmail"`).

Whatever the settings say wins. `user` stands for the address of the account.
"""

from __future__ import annotations

PROFILES: dict[str, dict[str, dict[str, object]]] = {
    "source": {
        "gmail": {
            "name": "gmail",
            "host": "imap.gmail.com",
            "recipient_headers": ["Delivered-To"],
            "one_copy": True,  # it drops a second mail with the same Message-ID
            "authserv_id": "mx.google.com",
        },
        "microsoft365": {
            "name": "microsoft365",
            "host": "outlook.office365.com",
            "one_copy": True,
            "authserv_id": "microsoft365",  # it writes none; see postroad.mail.authentication
        },
    },
    "relay": {
        "gmail": {
            "name": "gmail",
            "host": "smtp.gmail.com",
            "from": "user",
            "envelope": "user",
            "null_sender": False,
            "daily": 500,
            "recipients_per_transaction": 100,
            "connections": 4,
        },
        "microsoft365": {
            "name": "microsoft365",
            "host": "smtp.office365.com",
            "from": "user",
            "envelope": "user",
            "null_sender": False,
            "keeps_message_id": False,  # seen replaced at submission; keeping ours costs a header
            "daily": 10_000,
            "connections": 3,
        },
        "ses": {
            "name": "ses",
            "from": "own_domain",
            "null_sender": False,
            "keeps_message_id": False,
            "recipients_per_transaction": 50,
            "connections": 10,
        },
        "postfix": {
            "name": "postfix",
            "host": "127.0.0.1",
            "tls": "none",
        },
    },
}

_POP3 = {"gmail": {"host": "pop.gmail.com"}}  # where another server speaks it

PLUS = ("gmail", "microsoft365")  # deliver name+anything@ to name@, and no name-anything@

# of mailboxes that anybody may have: name-join@ there is somebody else, and the DNS is not ours
DOMAINS = frozenset(
    (
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com"),
        *("msn.com", "yahoo.com", "aol.com", "icloud.com", "me.com"),
        *("mac.com", "gmx.de", "gmx.net", "web.de", "mail.ru"),
        *("yandex.ru", "proton.me", "protonmail.com", "fastmail.com", "zoho.com"),
        *("qq.com", "163.com"),
    )
)

_HOSTS = {
    "gmail": ("gmail.com", "googlemail.com"),
    "microsoft365": ("office365.com", "outlook.com"),
    "ses": ("amazonaws.com",),
}


def provider(profile: str, host: str) -> str:
    """The profile of an account, told by its host where the settings name none; or ""."""
    if profile:
        return profile
    for name, ends in _HOSTS.items():
        if any(host.lower() == end or host.lower().endswith(f".{end}") for end in ends):
            return name
    return ""


def completed(section: str, table: dict[str, object]) -> dict[str, object]:
    """A table of the settings with what its profile knows put where it says nothing."""
    profile = str(table.get("profile", ""))
    pop3 = _POP3.get(profile, {}) if table.get("kind") == "pop3" else {}
    return {**PROFILES.get(section, {}).get(profile, {}), **pop3, **table}


def preset(section: str) -> frozenset[str]:
    """The keys that some profile of a section sets."""
    return frozenset(key for known in PROFILES.get(section, {}).values() for key in known)
