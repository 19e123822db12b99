"""Where a `${{ }}` stands in a script, and what becomes of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrun.scripts import Fitted, ScriptProblems, fit


def fitted(script: str, shell: str = "bash") -> str:
    """The script with X for the hole and for the variable alike."""
    return fit(script.replace("X", "${{ params.x }}"), shell).script.replace("DAGRUN_X1", "X")


def refused(script: str, shell: str = "bash") -> str:
    text = script.replace("X", "${{ params.x }}")
    with pytest.raises(ScriptProblems) as caught:
        fit(text, shell)
    assert [error.offset for error in caught.value.errors] == positions(text)
    assert all(
        error.message.endswith("put it in `env:` and read the variable") for error in caught.value.errors
    )
    return caught.value.errors[0].message


def positions(text: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith("${{", at)]


@pytest.mark.parametrize(
    ("script", "becomes"),
    [
        ("echo X", 'echo "${X}"'),
        ('echo "a X"', 'echo "a ${X}"'),
        ("echo 'a X'", "echo 'a '\"${X}\"''"),
        ("cat <<E\n'X'\nE", "cat <<E\n'${X}'\nE"),
        ('echo "$(f X "X")"', 'echo "$(f "${X}" "${X}")"'),
        ('X --flag "$@"', '"${X}" --flag "$@"'),
        ("sh -c 'f \"$1\"' _ X", 'sh -c \'f "$1"\' _ "${X}"'),
        ("x=$(case X in a) echo X;; esac)", 'x=$(case "${X}" in a) echo "${X}";; esac)'),
        ("python script.py --region X", 'python script.py --region "${X}"'),
        ("git add . X", 'git add . "${X}"'),
        ("awk -v x=X '{ print x }' f", "awk -v x=\"${X}\" '{ print x }' f"),
    ],
)
def test_a_reference_is_fitted_to_its_place(script: str, becomes: str) -> None:
    assert fitted(script) == becomes


@pytest.mark.parametrize(
    "script",
    [
        "eval X", "command eval \"echo X\"", "'ev'al X", "A=1 eval X", "! eval X", "sh -c X", "sudo bash -lc 'X'",
        "find . -exec sh -c 'X' ';'", "ssh host X", "python3.12 -Ic 'X'", "perl -ne X", "X=1", "trap X EXIT", "sed s/a/X/",
        "cat <<'E'\nX\nE", "cat <<E | bash\nX\nE", "bash <<< X", "echo X | sudo sh", "echo X | xargs -I{} sh -c {}",
        "echo $'X'", "echo $((X))", "((X))", "echo `X`", "echo ${a:-X}", "[[ X -gt 1 ]]", "a[X]=1", "a[$(f X)]=1",
        "declare -i n=X", "declare -i n; n=X", "PS4=X", "cat << X", "X() { :; }", "\\X", "env X", "read X",
        'GIT_SSH_COMMAND="ssh -i X" git fetch', "python - <<E\nX\nE", "source <(f X)", "$SHELL -c X", "$DRY eval X", "sh -c 'exec sh' <<E\nX\nE", "${a}eval X", '"$VENV/bin/python" -c X', "$BIN/sh -c X", "psql -c 'X'",
    ],
)  # fmt: skip
def test_where_a_value_could_run_it_is_refused(script: str) -> None:
    assert refused(script).startswith("a value cannot stand here: ")


def test_a_refusal_says_why() -> None:
    assert refused("echo $((X))") == (
        "a value cannot stand here: arithmetic runs what it finds in a value; put it in `env:` and read the variable"
    )


def test_after_an_open_quote_nothing_is_fitted() -> None:
    assert "the quote ' on line 1 is never closed" in refused("echo don't X")
    assert refused("echo 'a X")


def test_what_was_finished_before_an_open_quote_is_not_blamed() -> None:
    text = 'echo ${{ params.a }}\necho "${{ params.b }}'
    with pytest.raises(ScriptProblems) as caught:
        fit(text, "sh")
    assert [error.offset for error in caught.value.errors] == [text.rindex("${{")]


def test_a_comment_keeps_its_text_and_asks_for_no_variable() -> None:
    script = "# don't ${{ tasks.gone.outputs.x }}\necho \"it's\" # ${{ not even\nsyntax }}\n"
    assert fit(script, "sh") == Fitted(script.replace("even\nsyntax", "even syntax"), ())


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


@pytest.mark.parametrize("shell", ["python", "fish", "pwsh", "/usr/bin/env bash", ""])
def test_other_shells_have_no_reference(shell: str) -> None:
    refused("print('X')", shell)
    assert fit("print('{}')", shell).script == "print('{}')"


@pytest.mark.parametrize("shell", ["/bin/bash", "bash -eu", "zsh", "ksh"])
def test_a_shell_is_known_by_its_name(shell: str) -> None:
    assert fitted("echo X", shell) == 'echo "${X}"'


def test_mistakes_inside_are_told_with_the_others() -> None:
    with pytest.raises(ScriptProblems) as caught:
        fit("echo ${{ a b }} ${{ }}; eval ${{ run.id }}", "sh")
    assert [error.offset for error in caught.value.errors] == [11, 19, 29]


def test_shells_differ_about_what_is_arithmetic() -> None:
    refused("[ X -eq 1 ]", "ksh")
    assert fitted("[ X -eq 1 ]", "sh")
    refused('echo "$a[X]"', "zsh")
    assert fitted('echo "$a[X]"', "bash")


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


@pytest.mark.parametrize(
    "part", ["$(", "(", "{ ", '"$(', "${x:-", "f() ", "((", "if ", "case a in a) ", "[["]
)
def test_deep_and_long_scripts_are_soon_refused(part: str) -> None:
    began = time.process_time()
    refused(part * 20_000 + "X")
    assert time.process_time() - began < 5
