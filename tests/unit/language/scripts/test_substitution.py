"""From a script with placeholders to one with references to variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.language.scripts import ScriptProblems, SubstitutedScript, substitute
from tests.unit.language.scripts.helpers import refused, substituted


def test_equal_expressions_share_a_variable() -> None:
    result = substitute('echo ${{ params.a }} ${{params.b}} "${{params.a}}"', "dash")
    assert result.script == 'echo "${DAGRUN_X1}" "${DAGRUN_X2}" "${DAGRUN_X1}"'
    assert [(each.name, each.expression.text, each.offset) for each in result.variables] == [
        ("DAGRUN_X1", "params.a", 5),
        ("DAGRUN_X2", "params.b", 21),
    ]


def test_a_name_that_the_script_contains_is_not_used() -> None:
    assert substitute("DAGRUN_X1=a; echo ${{ run.id }}", "sh").variables[0].name == "DAGRUN_X2"


def test_two_dollar_signs_mean_the_plain_characters() -> None:
    assert substitute("echo '$${{ x }}'", "sh") == SubstitutedScript("echo '${{ x }}'", ())


@pytest.mark.parametrize("shell", ["python", "fish", "pwsh", "bash lib.sh", ""])
def test_other_programs_cannot_read_a_value(shell: str) -> None:
    refused("print('X')", shell)
    assert substitute("print('{}')", shell).script == "print('{}')"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "zsh", "ksh"])
def test_a_known_shell_gets_a_reference(shell: str) -> None:
    assert substituted("echo X", shell) == 'echo "${X}"'


def test_syntax_errors_in_expressions_are_reported_with_refusals() -> None:
    with pytest.raises(ScriptProblems) as caught:
        substitute("echo ${{ a b }} ${{ }}; eval ${{ run.id }}", "sh")
    assert [error.offset for error in caught.value.errors] == [11, 19, 29]


@given(
    st.text(st.sampled_from("X'\"`$(){}[]<>|&;\\#\n =aE!"), max_size=60),
    st.sampled_from(["sh", "bash", "zsh"]),
)
def test_any_text_is_substituted_or_refused_with_offsets_inside_it(script: str, shell: str) -> None:
    text = script.replace("X", "${{ params.x }}")
    try:
        script, offsets = substitute(text, shell).script, []
    except ScriptProblems as problems:
        script, offsets = "", [error.offset for error in problems.errors]
    assert all(0 <= offset <= len(text) for offset in offsets)
    assert offsets or "${{ params.x }}" not in script or "#" in text or "$${{" in text
