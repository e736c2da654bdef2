"""A real Mailman 3 with two lists, its REST API on a port of this machine.

Run by the Python of an environment where `pip install mailman` was done, with an empty folder:
prints the address of the API once it answers, and ends when its standard input does. The answers
in `answers/` were saved from it by docs/examples/mailman3-export.sh.
"""

from __future__ import annotations

import base64
import importlib
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

USER = "restadmin:restpass"
STAFF, NEWS = "staff.lists.example.org", "news.lists.example.org"


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def fill(api: str) -> None:
    """Two lists as their owners might have them."""
    post(api, "domains", mail_host="lists.example.org")
    for name in ("staff", "news"):
        post(api, "lists", fqdn_listname=f"{name}@lists.example.org")
    patch(
        api,
        f"lists/{STAFF}/config",
        description="All of the staff",
        subject_prefix="[Staff] ",
        reply_goes_to_list="explicit_header",
        reply_to_address="desk@example.net",
        first_strip_reply_to="true",
        subscription_policy="confirm_then_moderate",
        default_nonmember_action="reject",
        max_message_size="400",
        max_num_recipients="25",
        acceptable_aliases=["everybody@example.org"],
        accept_these_nonmembers=[
            "boss@example.net",
            r"^.*@partner\.example$",
            "@news@lists.example.org",
        ],
        dmarc_mitigate_action="munge_from",
        archive_policy="private",
        digests_enabled="true",
        bounce_score_threshold="7",
        bounce_info_stale_after="14d",
        filter_content="true",
        pass_types=["text/plain", "multipart/alternative"],
        admin_notify_mchanges="true",
        moderator_password="sesame",
    )
    patch(
        api,
        f"lists/{NEWS}/config",
        subscription_policy="open",
        default_member_action="hold",
        personalize="none",
        require_explicit_destination="false",
        info="What we\nhave to tell",
    )
    join(api, STAFF, "Ann.Archer@example.net", "Ann Archer")
    join(api, STAFF, "ben@example.net", "Bén Ö", delivery_status="by_user")
    join(api, STAFF, "carl@example.org", "", delivery_mode="mime_digests")
    join(api, STAFF, "dora@example.org", "Dora", receive_own_postings="false")
    join(api, NEWS, "ann.archer@example.net", "Ann Archer", receive_list_copy="false")
    join(api, NEWS, "eve@example.com", "Eve", moderation_action="accept")
    for role, address in (("owner", "olga@example.net"), ("moderator", "ben@example.net")):
        post(api, "members", list_id=STAFF, subscriber=address, role=role)
    post(api, "members", list_id=NEWS, subscriber="olga@example.net", role="owner")
    join(api, STAFF, "visitor@example.com", "", role="nonmember", moderation_action="discard")
    post(api, f"lists/{STAFF}/bans", email="spammer@example.com")
    post(api, f"lists/{STAFF}/bans", email=r"^.*@spam\.example$")
    post(api, "bans", email="everywhere@example.com")
    post(
        api, f"lists/{STAFF}/header-matches", header="X-Spam-Flag", pattern="^yes", action="discard"
    )
    post(api, f"lists/{STAFF}/header-matches", header="Subject", pattern=r"\[ad\]")
    patch(
        api,
        f"lists/{STAFF}/uris",
        **{"list:member:regular:footer": "mailman:///footer.txt"},
    )


def join(
    api: str, list_id: str, address: str, name: str, *, role: str = "member", **options: str
) -> None:
    """Subscribe somebody, and set their options."""
    moderation = {key: options.pop(key) for key in ("moderation_action",) if key in options}
    where = post(
        api,
        "members",
        list_id=list_id,
        subscriber=address,
        display_name=name,
        role=role,
        pre_verified="true",
        pre_confirmed="true",
        pre_approved="true",
    )
    member = "members/" + where.rpartition("/")[2]
    if moderation:
        patch(api, member, **moderation)
    if options:
        patch(api, f"{member}/preferences", **options)


def post(api: str, path: str, **fields: Any) -> str:
    """Make something; where it is."""
    return ask(api, path, "POST", fields)


def patch(api: str, path: str, **fields: Any) -> None:
    """Change something."""
    ask(api, path, "PATCH", fields)


def ask(api: str, path: str, method: str, fields: dict[str, Any]) -> str:
    """Ask Mailman; the Location of its answer."""
    data = urllib.parse.urlencode(fields, doseq=True).encode()
    request = urllib.request.Request(f"{api}/{path}", data, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(USER.encode()).decode())
    try:
        with urllib.request.urlopen(request) as answer:
            return str(answer.headers.get("Location", ""))
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path} {fields}: {error.read()!r}") from None


def main(home: Path) -> None:
    """Serve until nobody listens any more."""
    settings = home / "mailman.cfg"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings.write_text(
        f"[mailman]\nlayout: here\n[paths.here]\nvar_dir: {home}/var\n"
        f"[webservice]\nport: {port}\n[mta]\nincoming: mailman.mta.null.NullMTA\n"
    )
    importlib.import_module("mailman.core.initialize").initialize(str(settings))
    wsgi = importlib.import_module("mailman.rest.wsgiapp")  # reads the settings as it is imported

    server = make_server("127.0.0.1", port, wsgi.make_application(), handler_class=Quiet)
    api = f"http://127.0.0.1:{port}/3.1"
    filling = threading.Thread(target=serve, args=(server,), daemon=True)
    filling.start()
    fill(api)
    print(api, flush=True)
    sys.stdin.read()


def serve(server: Any) -> None:
    """Answer; the database belongs to this thread."""
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
