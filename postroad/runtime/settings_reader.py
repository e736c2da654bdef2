"""TOML and environment → settings structs, with every problem listed at once.

Environment names are `POSTROAD_SECTION__KEY`; entries of arrays are numbered
(`POSTROAD_SOURCE__0__HOST`; the next free number adds one) or named
(`POSTROAD_SOURCE__INBOX__HOST`, with `_` for `-` and `.`); a table within an entry adds its own
name (`POSTROAD_SOURCE__0__OAUTH2__CLIENT_ID`). They win over the file. A name that sets nothing is
refused, except single-underscore names without a section, which are not settings (POSTROAD_CONFIG,
POSTROAD_DEBUG, POSTROAD_CORPORA, POSTROAD_CRASHPOINT, POSTROAD_NO_SKIP, and POSTROAD_RESOLVER, the
name server that `postroad doctor` asks), and the POSTROAD_*_SERVICE_HOST and _PORT family that
Kubernetes adds on its own.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from postroad.runtime.profiles import completed, preset
from postroad.runtime.tomlfile import part_before

Table = dict[str, Any]
Fields = dict[str, msgspec.structs.FieldInfo]
S = TypeVar("S", bound=msgspec.Struct)

_PREFIX = "POSTROAD_"
_KUBERNETES = re.compile(r"_(SERVICE_HOST|SERVICE_PORT|PORT)(_\w+)?")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "X"?`, or the whole choice when nothing is near."""
    names = sorted(known)
    return _close(name, names) or (f" (there are: {', '.join(names)})" if names else "")


def no_choice(value: object, choices: Iterable[object]) -> str:
    """A value that is none of its choices (the empty one, which is the default, is not named)."""
    names = [str(choice) for choice in choices if choice != ""]
    return f'"{value}" is not one of {", ".join(names)}{_close(str(value), names)}'


class Reader:
    """Builds sections from tables; `problems` collects one line for everything wrong.

    `single` and `repeated` map section names to their structs ([site], [[source]]). What was built
    without a wrong value is `marred`: its name, as problems begin with it. What is then missing
    in it, or odd, is no second mistake. `given` are the keys that each entry was built from, less
    what its profile knows.
    """

    def __init__(
        self,
        tables: Table,
        single: Mapping[str, type[msgspec.Struct]],
        repeated: Mapping[str, type[msgspec.Struct]],
        folder: Path,
    ) -> None:
        self.problems: list[str] = []
        self.marred: tuple[str, ...] = ()
        self.given: dict[str, list[frozenset[str]]] = {name: [] for name in repeated}
        self._types = {**single, **repeated}
        self._folder = folder
        self._tables: dict[str, Table] = {}
        self._arrays: dict[str, list[Table]] = {name: [] for name in repeated}
        for section, value in tables.items():
            if section in single and isinstance(value, dict):
                self._tables[section] = dict(value)
            elif section in repeated and isinstance(value, list) and _all_tables(value):
                self._arrays[section] = [dict(entry) for entry in value]
            elif section in single:
                self.problems.append(f"{section} must be one table: write [{section}]")
            elif section in repeated:
                whole, part = f"[[{section}]]", _only_part(section, value)
                repeat = f"{section} must be repeatable: write {whole}"
                self.problems.append(part_before(part, whole) if part else repeat)
            else:
                self.problems.append(f'unknown section "{section}"{nearest(section, self._types)}')

    def overlay(self, environ: Mapping[str, str]) -> None:
        """Lay POSTROAD_ variables over the tables."""
        for name in sorted(environ, key=_counting):
            if name.startswith(_PREFIX):
                problem = self._overlay(name, environ[name])
                if problem:
                    self.problems.append(f"{name}: {problem}")

    def section(self, name: str, kind: type[S]) -> S | None:
        """The struct of `[name]` without its wrong values, or None when it is absent."""
        if name not in self._tables:
            return None
        before = len(self.problems)
        built = self._build(kind, name, self._tables[name], f"[{name}]")
        self._mark(f"[{name}]", before)
        return built

    def entries(self, name: str, kind: type[S]) -> tuple[S, ...]:
        """The structs of every `[[name]]` that has what it needs, in the order of the file."""
        built: list[S] = []
        for number, given in enumerate(self._arrays[name], 1):
            table = completed(name, given)
            which = f" number {number}" if len(self._arrays[name]) > 1 else ""
            where = f'[[{name}]] "{table["name"]}"' if "name" in table else f"[[{name}]]{which}"
            before = len(self.problems)
            entry = self._build(kind, name, table, where)
            if entry is not None:
                built.append(entry)
                self.given[name].append(frozenset(given))
                self._mark(f'[[{name}]] "{getattr(entry, "name", "")}"', before)
        return tuple(built)

    def _mark(self, where: str, before: int) -> None:
        if len(self.problems) > before:
            self.marred += (where,)

    def _overlay(self, name: str, text: str) -> str | None:
        section, *rest = name.removeprefix(_PREFIX).split("__")
        section = section.lower()
        if not rest:
            return self._stray(section)
        if section not in self._types:
            return f'unknown section "{section}"{nearest(section, self._types)}'
        if section in self._arrays:
            label = rest.pop(0)
            table = self._entry(section, label)
            if table is None:
                names = [str(e["name"]) for e in self._arrays[section] if "name" in e]
                return f'there is no [[{section}]] "{label}"{nearest(label.lower(), names)}'
        else:
            table = self._tables.setdefault(section, {})
        key = rest[0].lower() if rest else ""
        fields = _fields(self._types[section])
        if problem := _only_in_file(section, key, fields):
            return problem
        inner = _inner(fields[key].type) if key in fields else None
        if inner is not None:
            if len(rest) == 1:
                return f"{key} is a table: set {name}__{next(iter(_fields(inner))).upper()}"
            held = table.get(key)
            table[key] = dict(held) if isinstance(held, dict) else {}
            table = table[key]
            rest, fields = rest[1:], _fields(inner)
            key = rest[0].lower()
        if key not in fields or len(rest) > 1:
            hint = self._elsewhere(section, key) or nearest(key, fields)
            return f'there is no setting "{"__".join(rest).lower()}"{hint}'
        try:
            table[key] = _typed(text, fields[key].type)
        except msgspec.ValidationError as error:
            return _wrong(text, fields[key].type, error)
        return None

    def _stray(self, section: str) -> str | None:
        """A name without `__`: a slip of the pen when it spells a section and key."""
        known, _, key = section.partition("_")
        if known not in self._types or _KUBERNETES.search(section.upper()):
            return None
        form = "__0__" if known in self._arrays else "__"
        return f"did you mean {_PREFIX}{known.upper()}{form}{key.upper() or 'KEY'}?"

    def _entry(self, section: str, label: str) -> Table | None:
        entries = self._arrays[section]
        if label.isdecimal():
            if int(label) == len(entries):
                entries.append({})
            return entries[int(label)] if int(label) < len(entries) else None
        wanted = _folded(label)
        return next((e for e in entries if _folded(str(e.get("name", ""))) == wanted), None)

    def _build(self, kind: type[S], section: str, table: Table, where: str) -> S | None:
        fields = _fields(kind)
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key in fields and (inner := _inner(fields[key].type)) is not None:
                nested = self._several if get_origin(fields[key].type) is tuple else self._nested
                built = nested(inner, f"{section}.{key}", value, where)
                if built is not None:
                    values[fields[key].name] = built
            elif key in fields:
                try:
                    values[fields[key].name] = msgspec.convert(
                        value, fields[key].type, dec_hook=self._decode
                    )
                except msgspec.ValidationError as error:
                    wrong = _wrong(value, fields[key].type, error)
                    self.problems.append(f"{where} {key}: {wrong}")
            else:
                hint = self._elsewhere(section, key) or nearest(key, fields)
                self.problems.append(f'{where}: unknown key "{key}"{hint}')
        required = [key for key, field in fields.items() if field.required]
        # of an unknown profile the name is what is wrong: what it would have set is not missing
        unknown = "profile" in table and "profile" not in values
        excused = preset(section) if unknown else ()
        self.problems.extend(
            f"{where}: {key} is missing"
            for key in required
            if key not in table and key not in excused
        )
        return kind(**values) if all(key in values for key in required) else None

    def _elsewhere(self, section: str, key: str) -> str:
        """Where a key belongs that only one other section has."""
        owners = [name for name, kind in self._types.items() if key in _fields(kind)]
        if len(owners) != 1 or section.partition(".")[0] in owners:
            return ""
        form = f"[[{owners[0]}]]" if owners[0] in self._arrays else f"[{owners[0]}]"
        return f"; it belongs into {form}"

    def _nested(self, kind: type[S], section: str, value: object, where: str) -> S | None:
        """A table within an entry."""
        key = section.rpartition(".")[2]
        if not isinstance(value, dict):
            self.problems.append(f"{where} {key}: must be a table: {key} = {{ KEY = VALUE, ... }}")
            return None
        return self._build(kind, section, value, f"{where} {key}")

    def _several(self, kind: type[S], section: str, value: object, where: str) -> object:
        """The tables of an array within an entry."""
        key = section.rpartition(".")[2]
        if not isinstance(value, list) or not _all_tables(value):
            self.problems.append(f"{where} {key} must be repeatable: write [[{section}]]")
            return None
        built = [
            self._build(kind, section, each, f"{where} {key} number {number}")
            for number, each in enumerate(value, 1)
        ]
        return None if None in built else tuple(built)

    def _decode(self, kind: type, value: object) -> object:
        if kind is Path and isinstance(value, str) and value:
            return self._folder / Path(value).expanduser()
        raise ValueError("expected the path of a file")


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> Fields:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _inner(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a field of an entry holds, where it is a table."""
    for choice in (kind, *get_args(kind)):
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            return choice
    return None


def _only_in_file(section: str, key: str, fields: Fields) -> str | None:
    """What no variable can say: an array of tables."""
    if key in fields and _inner(fields[key].type) and get_origin(fields[key].type) is tuple:
        return f"{key} has tables of its own: write [[{section}.{key}]] into the file"
    return None


def _typed(text: str, kind: Any) -> Any:
    """An environment text as what its field holds; paths and texts stay text until built."""
    if get_origin(kind) is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return [_typed(part, get_args(kind)[0]) for part in parts]
    if _takes_text(kind):
        return text
    return msgspec.convert(text, kind, strict=False)


def _takes_text(kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return all(isinstance(choice, str) for choice in get_args(kind))
    return kind is str or Path in (kind, *get_args(kind))


def _wrong(value: object, kind: Any, error: Exception) -> str:
    if get_origin(kind) is Literal:
        return no_choice(value, get_args(kind))
    alone = isinstance(value, str) and get_origin(kind) is tuple and get_args(kind)[0] is str
    hint = f'; write ["{value}"]' if alone else ""
    said = _plain(error)
    if isinstance(value, int | float) and said.startswith("expected text"):
        hint = "; write it in quotes"
    return said + hint


def _close(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


def _only_part(section: str, value: object) -> str:
    """The header of a table within an entry, where there is nothing else of the entry; else ""."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    ((key, part),) = value.items()
    if isinstance(part, list) and part and _all_tables(part):
        return f"[[{section}.{key}]]"
    return f"[{section}.{key}]" if isinstance(part, dict) else ""


def _all_tables(value: list[object]) -> bool:
    return all(isinstance(entry, dict) for entry in value)


def _counting(name: str) -> list[tuple[int, str]]:
    """Sorts SOURCE__2 before SOURCE__10, so that entries are added in their order."""
    return [(int(part) if part.isdecimal() else 0, part) for part in name.split("__")]


def _folded(label: str) -> str:
    return re.sub(r"[-.]", "_", label).lower()


def _plain(error: Exception) -> str:
    text = _one_line(error).replace("`", "").replace(" | null", "").replace(" | ", " or ")
    text = text.replace("Invalid RFC3339 encoded date", "Expected a date such as 2026-12-01")
    for technical, plain in (
        ("Expected", "expected"),
        ("int", "integer"),
        ("str", "text"),
    ):
        text = re.sub(rf"\b{technical}\b", plain, text)
    text = re.sub(r"\bexpected date\b", "expected a date such as 2026-12-01", text)
    return text.replace("bool", "true or false").split(" - at ")[0]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
