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

`&&` and `||` stop early and give the operand that decided; false, null, 0, '', [] and {} count as false. `==` between
unlike types is false (a boolean is no number), `<` between them is an error. Text is compared as it is written.
No attribute of a Python object is ever reached: a step is a look-up in a mapping or a list.
"""

from __future__ import annotations

from dagrun.expressions.checking import STATUS_FUNCTIONS, TASK_FIELDS, TASK_ROOTS, Known, problems
from dagrun.expressions.evaluation import Function, Scope, as_text, truth
from dagrun.expressions.expression import Expression, parse
from dagrun.expressions.templates import Hole, Span, Template, condition, spans, template
from dagrun.expressions.tree import Call, EvaluationError, ExpressionError, Json, Reference

__all__ = [
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
    "Known",
    "Reference",
    "Scope",
    "Span",
    "Template",
    "as_text",
    "condition",
    "parse",
    "problems",
    "spans",
    "template",
    "truth",
]
