"""The language of `${{ ... }}`: parsed once, checked when a document is loaded, evaluated against plain JSON data.

    expression = "not" expression | operand { binary operand }
    binary     = "||" | "or"  <  "&&" | "and"  <  "==" | "!=" | "<" | "<=" | ">" | ">="      (loosest first)
    operand    = "!" operand | ( name | call | "(" expression ")" ) { step } | literal
    step       = "." field | "[" expression "]"
    call       = name "(" [ expression { "," expression } ] ")"
    literal    = "'" text "'" | '"' text '"' | number | "true" | "false" | "null"

In '..' a quote is written ''; in ".." the escapes are \\" \\\\ \\n \\t. Names and fields may contain hyphens: there is no
arithmetic, `-` only begins a number. `!` binds tighter than a comparison, as in C; `not` looser than one and tighter
than `&&`, as in Python. Comparisons are not chained. `$${{` in a text means the characters `${{`.

`&&` and `||` stop as soon as the result is certain and return the operand that decided; false, null, 0, '', [] and {} count as
false. A comparison never converts: text against a number or a boolean is an error, and text is compared character by character.
Anything may be compared with null, which equals only itself and is neither less nor more than anything. Values of other
different types are not equal. No attribute of a Python object is ever reached: a step is a lookup in a mapping or a list.
"""

from __future__ import annotations

from dagrun.language.expressions.checking import (
    OUTCOME_FIELDS,
    RUN_FIELDS,
    STATUS_FUNCTIONS,
    TASK_FIELDS,
    TASK_ROOTS,
    Known,
    problems,
)
from dagrun.language.expressions.comparing import ScalarType, ScalarTypes, equal
from dagrun.language.expressions.evaluation import Function, Scope, as_text, holds, truth
from dagrun.language.expressions.expression import Expression, parse
from dagrun.language.expressions.templates import (
    Placeholder,
    PlaceholderSpan,
    Template,
    condition,
    references,
    render_all,
    split,
    template,
)
from dagrun.language.expressions.tree import EvaluationError, ExpressionError, FunctionCall, Json, Reference

__all__ = [
    "OUTCOME_FIELDS",
    "RUN_FIELDS",
    "STATUS_FUNCTIONS",
    "TASK_FIELDS",
    "TASK_ROOTS",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Function",
    "FunctionCall",
    "Json",
    "Known",
    "Placeholder",
    "PlaceholderSpan",
    "Reference",
    "ScalarType",
    "ScalarTypes",
    "Scope",
    "Template",
    "as_text",
    "condition",
    "equal",
    "holds",
    "parse",
    "problems",
    "references",
    "render_all",
    "split",
    "template",
    "truth",
]
