"""The `${{ ... }}` language: parsed once, checked at load, evaluated against a scope of plain JSON data.

    expression = "not" expression | operand { binary operand }
    binary     = "||" | "or"  <  "&&" | "and"  <  "==" | "!=" | "<" | "<=" | ">" | ">="      (loosest first)
    operand    = "!" operand | ( name | call | "(" expression ")" ) { step } | literal
    step       = "." field | "[" expression "]"
    call       = name "(" [ expression { "," expression } ] ")"
    literal    = "'" text "'" | '"' text '"' | number | "true" | "false" | "null"

In '..' a quote is written ''; in ".." a backslash writes \\" \\\\ \\n \\t. Names and fields may hold hyphens: there is no
arithmetic, `-` only begins a number. `!` binds tighter than a comparison, as in C; `not` looser than one and tighter
than `&&`, as in Python. Comparisons are not chained. `$${{` in a text stands for the characters `${{`.

`&&` and `||` stop early and give the operand that decided; false, null, 0, '', [] and {} count as false. A comparison never
converts: text against a number or a boolean is an error, and text is compared as it is written. Anything may be compared
with null, which equals only itself and is neither less nor more than anything. Other unlike types are not equal.
No attribute of a Python object is ever reached: a step is a look-up in a mapping or a list.
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
from dagrun.language.expressions.comparing import Kind, Kinds, equal
from dagrun.language.expressions.evaluation import Function, Scope, as_text, holds, truth
from dagrun.language.expressions.expression import Expression, parse
from dagrun.language.expressions.templates import (
    Hole,
    Span,
    Template,
    condition,
    references,
    rendered,
    spans,
    template,
)
from dagrun.language.expressions.tree import Call, EvaluationError, ExpressionError, Json, Reference

__all__ = [
    "OUTCOME_FIELDS",
    "RUN_FIELDS",
    "STATUS_FUNCTIONS",
    "TASK_FIELDS",
    "TASK_ROOTS",
    "Call",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Function",
    "Hole",
    "Json",
    "Kind",
    "Kinds",
    "Known",
    "Reference",
    "Scope",
    "Span",
    "Template",
    "as_text",
    "condition",
    "equal",
    "holds",
    "parse",
    "problems",
    "references",
    "rendered",
    "spans",
    "template",
    "truth",
]
