"""Third-party pickles: plain data or nothing.

Of the names that a pickle may ask for, those below are answered, each by a method that builds dictionaries, lists, text
or numbers and can do nothing else. No class of a pickle's choice is made, numpy's neither.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from zeroshot.data.base import cut
from zeroshot.data.regular import read_whole
from zeroshot.errors import UserError

_NUMPY = ("numpy.core", "numpy._core")  # of versions 1 and 2
_FACTORIES = ("bool", "dict", "float", "int", "list", "set", "str", "tuple")  # what a defaultdict may make


class _Refused(Exception):
    """What a pickle asked for beyond plain data."""


class _Dtype:
    """A numpy type of text, bytes or numbers of a fixed size."""

    def __init__(self, name: str, spend: Callable[[Any], None]) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[biufSU]\d{1,9}", name):
            raise _Refused(f"a numpy type {cut(repr(name))}")
        self.name, self.order, self._spend = name, "=", spend

    def __setstate__(self, state: Sequence[Any]) -> None:
        self.order = state[1]  # the rest are fields, which no type has that bears such a name
        if self.order not in ("<", ">", "=", "|"):
            raise _Refused(f"a numpy type in the order {cut(repr(self.order))}")

    def values(self, content: Any, shape: Sequence[int], fortran: bool = False) -> Any:
        """An array's elements in nested lists, or the scalar where the shape is ()."""
        if isinstance(content, str):  # bytes in a protocol that has none
            content = content.encode("latin-1")
        if not isinstance(content, (bytes, bytearray)):
            raise _Refused("a numpy array of objects")
        if 0 in shape:
            return []
        self._spend(content)
        flat = np.frombuffer(content, dtype=np.dtype(self.order + self.name), count=math.prod(shape))
        return flat.reshape(shape, order="F" if fortran else "C").tolist()


class _Array(list):
    """A numpy array as a list, empty until its state is set."""

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, dtype, fortran, content = state
        self[:] = dtype.values(content, shape or (1,), fortran)


class _Plain(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content))
        self._left = len(content)
        self._answers: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": self._dictionary,
            "collections.defaultdict": self._dictionary,
            **{f"builtins.{name}": self._factory for name in _FACTORIES},
            "builtins.set": self._set,
            "builtins.frozenset": self._frozenset,
            "builtins.bytes": self._no_bytes,
            "_codecs.encode": self._bytes,
            "numpy.ndarray": self._factory,
            "numpy.dtype": self._dtype,
            **{f"{room}.multiarray._reconstruct": self._array for room in _NUMPY},
            **{f"{room}.multiarray.scalar": self._scalar for room in _NUMPY},
            **{f"{room}.numeric._frombuffer": self._array_of for room in _NUMPY},
        }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        wanted = f"{'builtins' if module == '__builtin__' else module}.{name}"  # Python 2's name for them
        if wanted not in self._answers:
            raise _Refused(wanted)
        return self._answers[wanted]

    def persistent_load(self, pid: object) -> Any:
        raise _Refused(f"a persistent object {cut(repr(pid))}")

    def _spend(self, copied: Any) -> None:
        """Count what is copied: a pickle that copies more than it holds is made to fill the memory."""
        self._left -= len(copied)
        if self._left < 0:
            raise _Refused("the same data again and again")

    def _factory(self, *_: Any) -> Any:
        raise _Refused("a class to be called")

    def _dictionary(self, *arguments: Any) -> dict[Any, Any]:
        """OrderedDict() or of pairs; defaultdict(factory), whose items follow: what is not in it is missing here."""
        pairs = [argument for argument in arguments if isinstance(argument, list)]
        for copied in pairs:
            self._spend(copied)
        return dict(*pairs)

    def _set(self, elements: list[Any]) -> set[Any]:
        self._spend(elements)
        return set(elements)

    def _frozenset(self, elements: list[Any]) -> frozenset[Any]:
        self._spend(elements)
        return frozenset(elements)

    def _no_bytes(self) -> bytes:
        return b""

    def _bytes(self, text: str, encoding: str) -> bytes:
        """Bytes in the protocols that have none."""
        if encoding not in ("latin1", "latin-1"):
            raise _Refused(f"a text in {cut(repr(encoding))}")
        self._spend(text)
        return text.encode("latin-1")

    def _dtype(self, name: str, *_: Any) -> _Dtype:
        return _Dtype(name, self._spend)

    def _array(self, *_: Any) -> _Array:
        return _Array()

    def _array_of(self, content: Any, dtype: _Dtype, shape: Sequence[int], order: str) -> Any:
        return dtype.values(content, shape or (1,), order == "F")

    def _scalar(self, dtype: _Dtype, content: Any) -> Any:
        return dtype.values(content, ())


def _check_memo(content: bytes) -> None:
    """Python makes room for a place in its memo, and for all before it, as soon as a pickle names one."""
    for opcode, argument, _ in pickletools.genops(content):
        place = argument if opcode.name in ("PUT", "LONG_BINPUT") else 0
        if place is not None and place > len(content):
            raise _Refused(f"the {place:,}th of {len(content):,} bytes")


def read_plain_pickle(path: Path) -> Any:
    """The plain data that a pickle holds: dictionaries, lists, tuples, sets, text, bytes, numbers, None.

    defaultdict and OrderedDict are read as dictionaries, numpy's arrays of text or numbers as lists, its scalars as
    text and numbers. Raises UserError where the file is missing, damaged or names anything else.
    """
    try:
        content = read_whole(path)
        _check_memo(content)
        return _Plain(content).load()
    except _Refused as named:
        raise UserError(
            f"{path} is refused: it names {named}, but only plain containers, text and numbers are read; nothing of it "
            "was run"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the folder that holds it") from None
    except Exception as error:  # a damaged pickle fails in whatever way its first wrong byte leads to
        raise UserError(f"{path} is no pickle, or damaged ({type(error).__name__}): get it again") from None
