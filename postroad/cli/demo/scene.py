"""The scene of the demo: a domain, its mailbox, a list and who is on it."""

from __future__ import annotations

DOMAIN = "lists.example.org"
MAILBOX = f"lists@{DOMAIN}"  # a catch-all: whatever is sent to the domain lies here
LIST = f"team@{DOMAIN}"
LIST_NAME = "Équipe"
MEMBERS = {
    "anna@example.net": "Anna Ångström",
    "bjorn@example.net": "Björn",
    "chloe@example.net": "Chloé",
}
AUTHOR = "anna@example.net"
NEWCOMER = "chloe@example.net"  # joins by mail
JOIN = f"team-join@{DOMAIN}"
