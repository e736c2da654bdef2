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
        },
        "postfix": {
            "name": "postfix",
            "host": "127.0.0.1",
            "tls": "none",
        },
    },
}


def completed(section: str, table: dict[str, object]) -> dict[str, object]:
    """A table of the settings with what its profile knows put where it says nothing."""
    return {**PROFILES.get(section, {}).get(str(table.get("profile", "")), {}), **table}
