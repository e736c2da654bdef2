"""Mailman's names for letters and their fields, as ours. Pure.

Mailman 3: `list:user:notice:welcome` and `$listname`. Of its templates those are not here that
are settings (header, footer) or of letters that Postroad does not write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "list:user:action:subscribe": "confirm_join",
    "list:user:action:unsubscribe": "confirm_leave",
    "list:user:action:invite": "confirm_invitation",
    "list:user:notice:welcome": "welcome",
    "list:user:notice:goodbye": "goodbye",
    "list:user:notice:hold": "post_waiting",
    "list:user:notice:rejected": "post_rejected",
    "list:user:notice:refuse": "request_rejected",
    "list:user:notice:probe": "bounces_probe",
    "list:user:notice:warning": "bounces_warning",
    "list:admin:action:post": "held_one",
    "list:admin:action:subscribe": "request_join",
    "list:admin:action:unsubscribe": "request_leave",
    "list:admin:notice:pending": "held_several",
    "list:admin:notice:disable": "bounces_stopped",
    "list:admin:notice:removal": "bounces_removed",
}
FIELDS: Mapping[str, str] = {
    "listname": "list",
    "fqdn_listname": "list",
    "display_name": "name",
    "list_name": "name",
    "short_listname": "name",
    "description": "description",
    "request_email": "request",
    "request_address": "request",
    "owner_email": "owner",
    "owner_address": "owner",
    "subscribe_email": "join",
    "join_address": "join",
    "unsubscribe_email": "leave",
    "leave_address": "leave",
    "user_email": "address",
    "user_address": "address",
    "user_delivered_to": "address",
    "sender_email": "address",
    "confirm_email": "confirm",
    "confirm_address": "confirm",
    "token": "token",
    "subject": "subject",
    "reason": "reason",
    "reasons": "reason",
}
FIELD = re.compile(rf"\$(?:({'|'.join(FIELDS)})\b|\{{({'|'.join(FIELDS)})\}})")


def field(match: re.Match[str]) -> str:
    """What a match of FIELD is here."""
    return f"{{{FIELDS[match[1] or match[2]]}}}"
