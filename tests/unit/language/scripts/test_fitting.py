"""From a script to one that can be run, and its variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.scripts import Fitted, ScriptProblems, fit
from tests.unit.language.scripts.helpers import fitted, refused


def test_the_same_expression_shares_a_variable() -> None:
    result = fit('echo ${{ params.a }} ${{params.b}} "${{params.a}}"', "dash")
    assert result.script == 'echo "${DAGRUN_X1}" "${DAGRUN_X2}" "${DAGRUN_X1}"'
    assert [(each.name, each.expression.text, each.offset) for each in result.variables] == [
        ("DAGRUN_X1", "params.a", 5),
        ("DAGRUN_X2", "params.b", 21),
    ]


def test_a_name_that_the_script_uses_is_left_alone() -> None:
    assert fit("DAGRUN_X1=a; echo ${{ run.id }}", "sh").variables[0].name == "DAGRUN_X2"


def test_two_dollars_stand_for_the_characters() -> None:
    assert fit("echo '$${{ x }}'", "sh") == Fitted("echo '${{ x }}'", ())


@pytest.mark.parametrize("shell", ["python", "fish", "pwsh", "bash lib.sh", ""])
def test_other_shells_have_no_reference(shell: str) -> None:
    refused("print('X')", shell)
    assert fit("print('{}')", shell).script == "print('{}')"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "zsh", "ksh"])
def test_a_shell_is_known_by_its_name(shell: str) -> None:
    assert fitted("echo X", shell) == 'echo "${X}"'


def test_mistakes_inside_are_told_with_the_others() -> None:
    with pytest.raises(ScriptProblems) as caught:
        fit("echo ${{ a b }} ${{ }}; eval ${{ run.id }}", "sh")
    assert [error.offset for error in caught.value.errors] == [11, 19, 29]


@given(
    st.text(st.sampled_from("X'\"`$(){}[]<>|&;\\#\n =aE!"), max_size=60),
    st.sampled_from(["sh", "bash", "zsh"]),
)
def test_any_text_is_fitted_or_refused_in_place(script: str, shell: str) -> None:
    text = script.replace("X", "${{ params.x }}")
    try:
        script, offsets = fit(text, shell).script, []
    except ScriptProblems as problems:
        script, offsets = "", [error.offset for error in problems.errors]
    assert all(0 <= offset <= len(text) for offset in offsets)
    assert offsets or "${{ params.x }}" not in script or "#" in text or "$${{" in text
