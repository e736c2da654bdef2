"""The prompt of `postroad sql`: a statement ends with a semicolon, a command begins with a dot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings

from postroad.cli.analysis.session import Session
from postroad.cli.analysis.tables import ROWS, print_result, print_rows
from postroad.cli.analysis.words import Known, known
from postroad.cli.output import complain
from postroad.runtime.errors import PostroadError

if TYPE_CHECKING:
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

NAME = "postroad> "
MORE = "       -> "
HELP = """\
A statement ends with a semicolon. Tab completes names, arrows go through what was asked before,
Ctrl-C ends a query, Ctrl-D leaves.

.tables        what there is
.schema NAME   columns of a table or view, and what they mean
.all           show every row from now on, or 100 again
.refresh       have the copy made anew, of this moment
.help          this
.quit          leave"""
KEYWORDS = """
select from where group by all order by limit distinct as and or not in between like is null
join left inner on using union except intersect case when then else end with recursive desc asc
count sum avg min max median quantile_cont arg_max date_trunc interval filter over partition
qualify having describe summarize explain values now today cast coalesce round
""".split()  # noqa: SIM905 - words, to be read
_SAME = {"\\d": ".schema", "\\dt": ".tables", "\\q": ".quit", "\\?": ".help", ".exit": ".quit"}


class Names(Completer):
    """Completes the word before the cursor: tables and columns, then words of SQL."""

    def __init__(self, tables: Iterable[Known]) -> None:
        tables = list(tables)
        columns = {column for table in tables for column in table.columns}
        self.words = [*(table.name for table in tables), *sorted(columns), *KEYWORDS]

    def get_completions(self, document: Document, _event: object) -> Iterable[Completion]:
        """What begins as the word does."""
        word = document.get_word_before_cursor()
        if word:
            for name in dict.fromkeys(self.words):
                if name.startswith(word.lower()) and name != word:
                    yield Completion(name, -len(word))


def converse(session: Session, refresh: Callable[[], Path]) -> None:
    """Ask and answer until the end of input."""
    conversation = Conversation(session, refresh)
    prompt: PromptSession[str] = PromptSession(
        NAME,
        history=_history(),
        completer=Names(conversation.tables),
        complete_while_typing=False,
        multiline=True,
        prompt_continuation=MORE,
        key_bindings=_keys(),
    )
    _greet(session)
    while conversation.goes_on:
        with contextlib.suppress(KeyboardInterrupt):  # what stands there is given up
            try:
                text = prompt.prompt().strip()
            except EOFError:
                return
            try:
                conversation.take(text)
            except PostroadError as error:
                complain(str(error))
            except KeyboardInterrupt:
                complain("ended")


class Conversation:
    """What was said so far: whether it `goes_on`, and how many rows are shown."""

    def __init__(self, session: Session, refresh: Callable[[], Path]) -> None:
        self.session = session
        self.tables = known(session)
        self.goes_on = True
        self._refresh = refresh
        self._shown: int | None = ROWS

    def take(self, text: str) -> None:
        """Obey a command, or answer statements. Raises PostroadError."""
        word, _, rest = text.rstrip(";").strip().partition(" ")
        word = _SAME.get(word, word)
        obeyed = {
            ".quit": self._quit,
            ".help": lambda: print(HELP),
            ".tables": lambda: _tables(self.tables),
            ".schema": lambda: _schema(self.tables, rest.strip()),
            ".all": self._all,
            ".refresh": self._anew,
        }
        if word in obeyed:
            obeyed[word]()
        elif word.startswith((".", "\\")):
            raise PostroadError(f"there is no {word}; .help says what there is")
        else:
            for statement in self.session.statements(text):
                with self.session.asked(statement) as result:
                    print_result(result, self._shown)

    def _quit(self) -> None:
        self.goes_on = False

    def _all(self) -> None:
        self._shown = ROWS if self._shown is None else None
        print("every row is shown" if self._shown is None else f"{ROWS} rows are shown")

    def _anew(self) -> None:
        self.session.reopen(self._refresh())
        self.tables = known(self.session)
        _greet(self.session)


def _greet(session: Session) -> None:
    with session.asked("select max(as_of)::varchar from about") as found:
        for [(as_of,)] in found.batches:
            print(f"As of {as_of} UTC. .help says more, Ctrl-D leaves.")


def _tables(tables: Iterable[Known]) -> None:
    rows = [(table.name, table.kind, table.about) for table in tables]
    print_rows(("name", "", "about"), ("", "", ""), rows)


def _schema(tables: Iterable[Known], name: str) -> None:
    if not name:
        _tables(tables)
        return
    for table in tables:
        if table.name == name:
            print(f"{table.kind} {table.name}: {table.about}")
            rows = [(column, *told) for column, told in table.columns.items()]
            print_rows(("column", "type", "about"), ("", "", ""), rows)
            return
    complain(f"there is no table or view {name!r}; .tables says which there are")


def _history() -> History:
    """What was asked before, for this user alone; where that cannot be kept, of this run."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = home / "postroad" / "sql_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except (OSError, RuntimeError):
        return InMemoryHistory()
    return FileHistory(str(path))


def _keys() -> KeyBindings:
    """Enter ends what is whole: a command, a statement with its semicolon, or nothing at all."""
    keys = KeyBindings()

    def whole() -> bool:
        from prompt_toolkit.application import get_app

        text = get_app().current_buffer.text.strip()
        return not text or text.startswith((".", "\\")) or text.endswith(";")

    @keys.add("enter", filter=Condition(whole))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys
