"""The values of scalars in the core schema of YAML 1.2: `on`, dates, `1:30` and `1_000` are text."""

from __future__ import annotations

import re
from typing import Any, Final

#: Unquoted texts that are not text.
WORDS: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
#: First characters of numbers.
NUMERIC: Final = frozenset("0123456789+-.")
_BASES: Final = {"0o": 8, "0x": 16}
_INT: Final = re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: Python refuses to print ints of more than 4,300 decimal digits; this many characters are fewer in every base.
_LONGEST_INT: Final = 3500

YAML_TAG: Final = "tag:yaml.org,2002:"
#: The allowed tags, and the types of their values; no scalar has the types of `seq` and `map`.
TAGS: Final[dict[str, type]] = {
    YAML_TAG + "str": str,
    YAML_TAG + "int": int,
    YAML_TAG + "float": float,
    YAML_TAG + "bool": bool,
    YAML_TAG + "null": type(None),
    YAML_TAG + "seq": list,
    YAML_TAG + "map": dict,
}
#: The result of `tagged` for a text that does not fit its tag.
MISFIT: Final = object()


def plain(text: str) -> Any:
    """The value of a scalar without quotes."""
    if text in WORDS:
        return WORDS[text]
    return number(text) if text[:1] in NUMERIC else text


def number(text: str) -> int | float | str:
    """The number that a text represents, otherwise the text itself."""
    if _INT.fullmatch(text):
        return int(text, _BASES.get(text[:2], 10)) if len(text) <= _LONGEST_INT else text
    return float(text) if _FLOAT.fullmatch(text) else text


def tagged(text: str, tag: str) -> Any:
    """The value of a scalar with an explicit tag, or MISFIT."""
    if tag == "!":
        return text
    wanted = TAGS.get(tag)
    value = text if wanted is str else plain(text)
    if wanted is float and type(value) is int:
        value = float(str(value))  # float(int) raises where the number is too large; this gives inf
    return value if type(value) is wanted else MISFIT
