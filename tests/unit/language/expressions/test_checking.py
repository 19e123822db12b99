"""Errors that are known before the run."""

from __future__ import annotations

import pytest

from dagrun.language.expressions import Known, parse, problems
from dagrun.value import replace

NAMES = Known(
    roots={"params", "env", "tasks", "jobs", "run"},
    params=["region"],
    tasks=["build", "test-unit", "a.b"],
    ancestors=["build"],
    functions={"success", "changed"},
)


@pytest.mark.parametrize(
    ("text", "offset", "message", "suggestion"),
    [
        ("parms.x", 0, "unknown name 'parms'", "did you mean 'params'?"),
        ("needs.x.outputs.y", 0, "unknown name 'needs'", "here it is 'jobs'"),
        ("inputs.x", 0, "unknown name 'inputs'", "here it is 'params'"),
        ("True", 0, "unknown name 'True'", "did you mean 'true'?"),
        (
            "always",
            0,
            "unknown name 'always'",
            "to call the function write always(), for text write 'always'",
        ),
        ("params.region == west", 17, "unknown name 'west'", "write text in quotes: 'west'"),
        ("secrets.X", 0, "'secrets' can be read only in 'env'", ""),
        ("params.regoin", 7, "undeclared parameter 'regoin'", "did you mean 'region'?"),
        ("run.idd", 4, "'run' has no field 'idd'", "did you mean 'id'?"),
        ("tasks.biuld.status", 6, "unknown task 'biuld'", "did you mean 'build'?"),
        ("tasks.build.ouputs", 12, "a task has no field 'ouputs'", "did you mean 'outputs'?"),
        ("tasks.a.b.status", 6, "unknown task 'a'", "write tasks['a.b']"),
        (
            "md5('a')",
            0,
            "unknown function 'md5'",
            "available: always, cancelled, changed, contains, date, default, endsWith, failure, format, fromJSON, join, keys, length, shift, startsWith, success, toJSON, values",
        ),
        ("len('a')", 0, "unknown function 'len'", "did you mean 'length'?"),
        ("sucess()", 0, "unknown function 'sucess'", "did you mean 'success'?"),
        ("fromjson('1')", 0, "unknown function 'fromjson'", "did you mean 'fromJSON'?"),
        ("always()", 0, "always() can be used only in 'if' and 'unless'", ""),
        ("changed('x')", 8, "unknown task 'x'", "available: a.b, build, test-unit"),
        ("changed(1)", 8, "changed() takes the id of a task, in quotes", ""),
        (
            "format('{1}', 1)",
            7,
            "format(): there is no value for {1}: values are counted from 0, and this call has 1",
            "",
        ),
        (
            "jobs.test-unit.status",
            5,
            "'test-unit' is not an ancestor of this task: its result may not exist when this task starts",
            "add 'test-unit' to what this task depends on",
        ),
    ],
)
def test_a_wrong_name_is_found_before_the_run(text: str, offset: int, message: str, suggestion: str) -> None:
    (problem,) = problems(parse(text), NAMES)
    assert (problem.offset, problem.message, problem.suggestion) == (offset, message, suggestion)


TYPED = replace(NAMES, matrix=["os", "slow"], roots={*NAMES.roots, "matrix", "github"}, types={
    ("params", "region"): "text", ("matrix", "os"): "text", ("matrix", "slow"): "boolean",
})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "offset", "message", "suggestion"),
    [
        ("env.X == true", 6, "'==' compares a text with a boolean, which are never equal", "write 'true'"),
        ("1 != github.run_number", 2, "'!=' compares a number with a text, which are never equal",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("env.X > 5", 6, "'>' compares a text with a number, which are never equal",
         "write fromJSON(..) around the text to compare numbers"),
        ("matrix.os == 3.10", 10, "'==' compares a text with a number, which are never equal",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("matrix.slow == 'true'", 12, "'==' compares a boolean with a text, which are never equal", "remove the quotes"),
        ("params.region == 3", 14, "'==' compares a text with a number, which are never equal",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("length(env.X) == env.Y", 14, "'==' compares a number with a text, which are never equal",
         "write fromJSON(..) around the text to compare numbers"),
        ("tasks.build.status == 1", 19, "'==' compares a text with a number, which are never equal",
         "put the number in quotes, or write fromJSON(..) around the text to compare numbers"),
        ("date(run.started_at, '%Q')", 21,
         "date(): '%Q' is not supported; write for example %Y-%m-%d %H:%M:%S, and %% for a percent sign", ""),
        ("shift(run.started_at, 'x')", 22, "shift(): 'x' is not a time difference; write for example '-1d', '2w', '12h' or '1h30m'", ""),
    ],
)  # fmt: skip
def test_a_comparison_that_can_never_be_valid_is_found_before_the_run(
    text: str, offset: int, message: str, suggestion: str
) -> None:
    (problem,) = problems(parse(text), TYPED)
    assert (problem.offset, problem.message, problem.suggestion) == (offset, message, suggestion)


@pytest.mark.parametrize(
    "text",
    ["env.X == '5'", "tasks.build.outputs.n == 3", "matrix.slow == true", "env.X == null", "fromJSON(env.X) > 5", "params.region == null",
     "(env.X || 5) == 5", "tasks.build.changed == true", "tasks.build.error == 3"],
)  # fmt: skip
def test_a_comparison_of_uncertain_types_is_left_to_the_run(text: str) -> None:
    assert problems(parse(text), TYPED) == []


def test_a_correct_expression_has_no_problems() -> None:
    text = "success() && tasks.build.outputs.x == params.region && env.ANY && run.id && changed('build') && toJSON(tasks)"
    assert problems(parse(text), NAMES) == []
    assert [each.name for each in parse(text).calls] == ["success", "changed", "toJSON"]
    assert parse(text).references[0].path == ("build", "outputs", "x")


def test_all_problems_are_reported_in_the_order_of_the_text() -> None:
    assert [each.offset for each in problems(parse("a.b == c() && params.x"), NAMES)] == [0, 7, 21]


def test_a_secret_cannot_be_split() -> None:
    known = replace(NAMES, roots={*NAMES.roots, "secrets"}, secrets=["TOKEN"])
    (problem,) = problems(parse("fromJSON(secrets.TOKEN).key"), known)
    assert problem.message == "a part of a secret would not be masked"
