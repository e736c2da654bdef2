"""The pages: plain HTML that needs no script, no picture and nothing from elsewhere. Pure.

What comes from outside is a list's name and mailto links, both escaped. No page says whose link it
is: links are forwarded with the mails that bear them.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus

from schemas.leaving import Leaving
from services.web.form import FIELD, VALUE

# Colours are the reader's own (CSS system colours), so both schemes and high contrast just work.
_STYLE = (
    ":root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}"
    "body{margin:0;padding:1.5rem}"
    "main{max-width:34rem;margin:0 auto;overflow-wrap:anywhere}"
    "h1{font-size:1.5rem;line-height:1.25}"
    "button{font:inherit;font-weight:600;padding:.75rem 1.5rem;min-height:3rem}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_BY_MAIL = "Each mail of the list names the address to write to in its header, as List-Unsubscribe."


def question(found: Leaving) -> bytes:
    """Whether to leave; the button does it."""
    name = _name(found)
    return _page(
        "Leave the list?",
        f"Leave {name}?",
        "<p>You will get no more mail from this list. Nothing has changed yet.</p>",
        '<form method="post">',
        f'<input type="hidden" name="{FIELD}" value="{VALUE}">',
        '<button type="submit">Leave the list</button>',
        "</form>",
    )


def done(found: Leaving) -> bytes:
    """They are off the list, now or since long."""
    return _page(
        "You have left the list",
        f"You have left {_name(found)}",
        "<p>No more mail from this list starts on its way to you. "
        "What was sent before may still arrive.</p>",
        _coming_back(found),
    )


def not_on_list(found: Leaving) -> bytes:
    """Nothing to do for who looks."""
    return _page(
        "You are not on the list",
        f"You are not on {_name(found)}",
        "<p>There is nothing to leave: this list sends you no mail.</p>",
        _coming_back(found),
    )


def forgotten() -> bytes:
    """The person of the link is erased."""
    return _page(
        "This link has ended",
        "This link has ended",
        "<p>Whom it was made for has been erased here, with all memberships. "
        "This link does nothing any more, and no list sends mail because of it.</p>",
        "<p>If you still get mail of a list, leave by the link in that mail, or by mail. "
        f"{_BY_MAIL}</p>",
    )


def no_link(found: Leaving) -> bytes:
    """A link that we did not make, or that was cut off."""
    way = f'<a href="{escape(found.leave)}">write a mail</a>' if found.leave else "write a mail"
    return _page(
        "This link does not work",
        "This link does not work",
        "<p>Nothing has changed. Perhaps the end of the link is missing: "
        "copy all of it from the mail.</p>",
        f"<p>To leave without a link, {way} from your address on the list. {_BY_MAIL}</p>",
    )


def nothing_here() -> bytes:
    """No address of ours."""
    return _page(
        "There is no such page",
        "There is no such page",
        "<p>Links to leave a mailing list lead here. "
        "If yours does not work, copy all of it from the mail.</p>",
        f"<p>You can leave by mail as well. {_BY_MAIL}</p>",
    )


def not_so() -> bytes:
    """A method that pages do not have."""
    return _page("Not possible", "Not possible", "<p>This page can be read, and sent.</p>")


def says_nothing() -> bytes:
    """A POST without the form."""
    return _page(
        "Nothing has changed",
        "Nothing has changed",
        f"<p>To leave, the form has to say {FIELD}={VALUE}, as the button of this page does.</p>",
    )


def later(*, acts: bool) -> bytes:
    """Membership is away."""
    words = "It may not have been done." if acts else "Nothing has changed."
    return _page(
        "Not possible just now",
        "Not possible just now",
        f"<p>{words} Please try again in a minute; to do so twice does no harm.</p>",
        f"<p>You can leave by mail as well. {_BY_MAIL}</p>",
    )


def unheard(status: int) -> bytes:
    """No request, or too much of one."""
    return _page("Not understood", "Not understood", f"<p>{HTTPStatus(status).phrase}.</p>")


def _coming_back(found: Leaving) -> str:
    if not found.join:
        return "<p>The list is closed: it takes no new members.</p>"
    return f'<p>To come back, <a href="{escape(found.join)}">write a mail to join</a>.</p>'


def _name(found: Leaving) -> str:
    """A list's name, which may be written from right to left."""
    return f"<bdi>{escape(found.name)}</bdi>"


def _page(title: str, heading: str, *parts: str) -> bytes:
    """A whole page; `title` is plain, everything else is HTML."""
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{heading}</h1>",
        *parts,
        "</main>",
        "</body>",
        "</html>",
        "",
    )
    return "\n".join(lines).encode()
