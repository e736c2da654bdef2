"""Letters, as membership answers what it is asked of them (`schemas.commands.Answer`). Never
stored."""

from __future__ import annotations

from schemas.mail import Data


class LetterRow(Data, kw_only=True):
    """One letter: its name, to whom it goes and when, the fields it may have, and of which it
    `needs` one. Its `text` is as one would type it, in this language; `source` says whose it is:
    built in, site, list. `own` are the languages in which the list has texts of its own for it;
    empty stands for every language. `mailman` is Mailman's name for it."""

    name: str
    about: str
    fields: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    language: str = ""
    source: str = ""
    own: tuple[str, ...] = ()
    mailman: str = ""
    text: str = ""


class LetterShown(Data, kw_only=True):
    """A letter as it would be sent: `sender` is its From, `html` a whole document."""

    name: str
    language: str
    source: str
    sender: str
    subject: str
    plain: str
    html: str
