"""JSON values of the far end, read fast and, where they stand for text, as they were spelt.

orjson is several times as fast as `json`, but refuses what streams do hold: halves of surrogate pairs
and bytes that are no UTF-8. What it refuses is read again by `json`, decoded with U+FFFD for bad bytes
as the WHATWG standards ask. orjson also forgets how a number was written (`1.50`, `1e5`): where a
number stands for text, its unit is read again too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

Json = dict[str, Any]


def parsed(data: bytes) -> Any:
    """Give the value; `ValueError` if *data* is not JSON, nested beyond what can be read included."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _loads(data, parse_int=_integer)


def spelling(data: bytes) -> Any:
    """Give the value with each number as the string that stands in *data*; `ValueError` as above."""
    return _loads(data, parse_int=str, parse_float=str)


def spelt(value: object, again: Callable[[], object]) -> str:
    """Give the text that *value* was before somebody took a token for JSON.

    Workers AI does that for some models: the token `3` comes as a number, `true` as a boolean. For a
    number, *again* gives the same value out of `spelling()`. White space inside a list or an object is
    lost at the far end. `ValueError` for one that is nested beyond what can be written: orjson reads a
    little deeper than that.
    """
    if isinstance(value, str):
        return value
    if is_number(value):
        return str(again())
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_number(value: object) -> bool:
    """Tell a number from all else, booleans included."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def closes_itself(data: bytes) -> bool:
    """Tell whether *data* is surely whole though nothing follows: `12` may have been cut, `"12"` not."""
    if data.lstrip()[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        parsed(data)
    except ValueError:
        return False
    return True


def _loads(data: bytes, **numbers: Any) -> Any:
    try:
        return json.loads(data.decode("utf-8", "replace"), parse_constant=_refused, **numbers)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _integer(digits: str) -> float:
    """Python refuses to convert thousands of digits; a count of tokens has fewer than twenty."""
    return int(digits) if len(digits) < 20 else float(digits)


def _refused(constant: str) -> Any:
    """`NaN` and `Infinity` are Python's, not JSON's."""
    raise ValueError(f"{constant} is not JSON")
