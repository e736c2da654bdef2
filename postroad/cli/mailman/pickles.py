"""A `config.pck` of Mailman 2 as plain data: dict, list, tuple, str, bytes, numbers, None.

A pickle is a program: Python's own loader runs whatever it names. This reader knows only the
instructions that plain data needs (protocols 0 to 5; Mailman 2.1 writes 1). It imports nothing and
calls nothing: of the one class that Mailman writes, `Mailman.Bouncer._BounceInfo`, the
attributes are kept as a `Record`; every other name and instruction is refused. Work and memory
are linear in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from postroad.cli.mailman.form import Unreadable

LARGEST = 200_000_000  # octets of a file; 1,000,000 members take 150 MB
LONGEST_NUMBER = 100  # digits
KNOWN = {("Mailman.Bouncer", "_BounceInfo")}


class _Name(NamedTuple):
    module: str
    name: str


class Record:
    """An instance of a class of Mailman: its attributes, and nothing that can be called."""

    def __init__(self) -> None:
        self.attributes: dict[Any, Any] = {}


def load(data: bytes) -> object:
    """What the pickle holds. Text of Python 2 stays bytes: nothing says how it is encoded.
    Raises Unreadable."""
    if len(data) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST:,} octets")
    try:
        return _Reader(data).run()
    except (IndexError, struct.error, TypeError, KeyError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("it is damaged, or no pickle") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        while True:
            code = self._take(1)
            if code == b".":
                return self._stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise Unreadable(
                    f"it has the instruction {code!r} at octet {self._at - 1:,}, which data of "
                    "Mailman never needs"
                )
            step(self)

    # --- reading ------------------------------------------------------------------------------

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise Unreadable("it ends in the middle")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def _line(self) -> bytes:
        end = self._data.find(b"\n", self._at)
        if end < 0:
            raise Unreadable("it ends in the middle")
        line = self._data[self._at : end]
        self._at = end + 1
        return line

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _since_mark(self) -> list[Any]:
        at = self._marks.pop()
        values = self._stack[at:]
        del self._stack[at:]
        return values

    # --- numbers and texts --------------------------------------------------------------------

    def none(self) -> None:
        self._push(None)

    def true(self) -> None:
        self._push(True)

    def false(self) -> None:
        self._push(False)

    def integer(self) -> None:
        line = self._line().strip().removesuffix(b"L")
        if len(line) > LONGEST_NUMBER:
            raise Unreadable("it has a number too long to be of Mailman")
        self._push(line == b"01" if line in (b"00", b"01") else int(line))

    def int4(self) -> None:
        (value,) = struct.unpack("<i", self._take(4))
        self._push(value)

    def int1(self) -> None:
        self._push(self._unsigned(1))

    def int2(self) -> None:
        self._push(self._unsigned(2))

    def long1(self) -> None:
        self._push(int.from_bytes(self._take(self._unsigned(1)), "little", signed=True))

    def float_text(self) -> None:
        self._push(float(self._line()))

    def float8(self) -> None:
        (value,) = struct.unpack(">d", self._take(8))
        self._push(value)

    def bytes_text(self) -> None:
        quoted = self._line().strip()
        if len(quoted) < 2 or quoted[:1] not in b"'\"" or quoted[-1:] != quoted[:1]:
            raise Unreadable("it is damaged: a text without its quotes")
        self._push(_unescaped(quoted[1:-1]))

    def bytes1(self) -> None:
        self._push(self._take(self._unsigned(1)))

    def bytes4(self) -> None:
        self._push(self._take(self._unsigned(4)))

    def bytes8(self) -> None:
        self._push(self._take(self._unsigned(8)))

    def text_line(self) -> None:
        self._push(self._line().decode("raw-unicode-escape"))

    def text1(self) -> None:
        self._push(self._take(self._unsigned(1)).decode("utf-8", "replace"))

    def text4(self) -> None:
        self._push(self._take(self._unsigned(4)).decode("utf-8", "replace"))

    def text8(self) -> None:
        self._push(self._take(self._unsigned(8)).decode("utf-8", "replace"))

    # --- containers ---------------------------------------------------------------------------

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def pop(self) -> None:
        self._stack.pop()

    def pop_mark(self) -> None:
        self._since_mark()

    def empty_list(self) -> None:
        self._push([])

    def list_(self) -> None:
        self._push(self._since_mark())

    def append(self) -> None:
        value = self._stack.pop()
        _a(list, self._stack[-1]).append(value)

    def appends(self) -> None:
        values = self._since_mark()
        _a(list, self._stack[-1]).extend(values)

    def empty_tuple(self) -> None:
        self._push(())

    def tuple_(self) -> None:
        self._push(tuple(self._since_mark()))

    def tuple1(self) -> None:
        self._few(1)

    def tuple2(self) -> None:
        self._few(2)

    def tuple3(self) -> None:
        self._few(3)

    def _few(self, count: int) -> None:
        if len(self._stack) < count:
            raise Unreadable("it is damaged, or no pickle")
        values = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._push(values)

    def empty_dict(self) -> None:
        self._push({})

    def dict_(self) -> None:
        self._push(_paired(self._since_mark()))

    def set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _a(dict, self._stack[-1]).update(_paired([key, value]))

    def set_items(self) -> None:
        values = self._since_mark()
        _a(dict, self._stack[-1]).update(_paired(values))

    # --- what was said before -----------------------------------------------------------------

    def put_line(self) -> None:
        self._memo[int(self._line()[:LONGEST_NUMBER])] = self._stack[-1]

    def put1(self) -> None:
        self._memo[self._unsigned(1)] = self._stack[-1]

    def put4(self) -> None:
        self._memo[self._unsigned(4)] = self._stack[-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get_line(self) -> None:
        self._push(self._memo[int(self._line()[:LONGEST_NUMBER])])

    def get1(self) -> None:
        self._push(self._memo[self._unsigned(1)])

    def get4(self) -> None:
        self._push(self._memo[self._unsigned(4)])

    # --- records ------------------------------------------------------------------------------

    def name(self) -> None:
        self._push(_known(self._line(), self._line()))

    def name_above(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push(_known(_octets(module), _octets(name)))

    def record_of_line(self) -> None:
        _known(self._line(), self._line())
        self._since_mark()
        self._push(Record())

    def record(self) -> None:
        values = self._since_mark()
        _a(_Name, values[0])
        self._push(Record())

    def new(self) -> None:
        self._stack.pop()  # its arguments
        _a(_Name, self._stack.pop())
        self._push(Record())

    def build(self) -> None:
        state = self._stack.pop()
        _a(Record, self._stack[-1]).attributes.update(_a(dict, state))

    def protocol(self) -> None:
        self._take(1)

    def frame(self) -> None:
        self._take(8)


def _a(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise Unreadable("it is damaged, or made to harm: an instruction is used on a wrong value")
    return value


def _paired(values: list[Any]) -> dict[Any, Any]:
    """Key, value, key, value. Keys of Mailman are texts; others can be made so that a dict takes
    for ever to find them."""
    if any(not isinstance(key, str | bytes) for key in values[::2]):
        raise Unreadable("it has a key that is no text")
    return dict(zip(values[::2], values[1::2], strict=True))


def _known(module: bytes, name: bytes) -> _Name:
    found = _Name(module.decode("utf-8", "replace"), name.decode("utf-8", "replace"))
    if found not in KNOWN:
        shown = "".join(c if c.isprintable() else "?" for c in ".".join(found))[:80]
        raise Unreadable(f"it names {shown}, which no list of Mailman holds; nothing of it was run")
    return found


def _octets(text: Any) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else bytes(_a(bytes, text))


def _unescaped(text: bytes) -> bytes:
    """A text in Python 2's quotes. Latin-1 gives every octet a character of its number."""
    if b"\\" not in text:
        return text
    return text.decode("unicode_escape").encode("latin-1")


_STEPS: dict[bytes, Callable[[_Reader], None]] = {
    b"N": _Reader.none,
    b"\x88": _Reader.true,
    b"\x89": _Reader.false,
    b"I": _Reader.integer,
    b"L": _Reader.integer,
    b"J": _Reader.int4,
    b"K": _Reader.int1,
    b"M": _Reader.int2,
    b"\x8a": _Reader.long1,
    b"F": _Reader.float_text,
    b"G": _Reader.float8,
    b"S": _Reader.bytes_text,
    b"U": _Reader.bytes1,
    b"T": _Reader.bytes4,
    b"C": _Reader.bytes1,
    b"B": _Reader.bytes4,
    b"\x8e": _Reader.bytes8,
    b"V": _Reader.text_line,
    b"\x8c": _Reader.text1,
    b"X": _Reader.text4,
    b"\x8d": _Reader.text8,
    b"(": _Reader.mark,
    b"0": _Reader.pop,
    b"1": _Reader.pop_mark,
    b"]": _Reader.empty_list,
    b"l": _Reader.list_,
    b"a": _Reader.append,
    b"e": _Reader.appends,
    b")": _Reader.empty_tuple,
    b"t": _Reader.tuple_,
    b"\x85": _Reader.tuple1,
    b"\x86": _Reader.tuple2,
    b"\x87": _Reader.tuple3,
    b"}": _Reader.empty_dict,
    b"d": _Reader.dict_,
    b"s": _Reader.set_item,
    b"u": _Reader.set_items,
    b"p": _Reader.put_line,
    b"q": _Reader.put1,
    b"r": _Reader.put4,
    b"\x94": _Reader.memoize,
    b"g": _Reader.get_line,
    b"h": _Reader.get1,
    b"j": _Reader.get4,
    b"c": _Reader.name,
    b"\x93": _Reader.name_above,
    b"i": _Reader.record_of_line,
    b"o": _Reader.record,
    b"\x81": _Reader.new,
    b"b": _Reader.build,
    b"\x80": _Reader.protocol,
    b"\x95": _Reader.frame,
}
