"""Whatever a value holds, a fitted script prints it unchanged in a real shell, and nothing in it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagrun.language.expressions import Scope
from dagrun.language.scripts import ScriptProblems, substitute

SHELLS = ("bash", "dash", "sh", "zsh", "ksh")
#: What POSIX does not know.
BASHISMS = {"bash", "zsh"}

#: V is a value; each script must print `<` value `>` and nothing else.
POSIX_SCRIPTS = {
    "bare": "printf '<%s>' V",
    "glued": "printf '%s' '<'V'>'",
    "double quotes": "printf '%s' \"<V>\"",
    "single quotes": "printf '%s' '<V>'",
    "assignment": 'x=V\nprintf "<%s>" "$x"',
    "export": 'export X="V"; printf "<%s>" "$X"',
    "export bare": "export X=V\nx=$(printenv X; echo .); x=${x%.}\nprintf '<%s' \"$x\" | head -c -1; printf '>'",
    "assignment before a command": "x=$(X=V printenv X; echo .); x=${x%.}\nprintf '<%s' \"$x\" | head -c -1; printf '>'",
    "argument of a function": "f() { printf '<%s>' \"$1\"; }\nf V",
    "positional": "set -- V; printf '<%s>' \"$1\"",
    "argument of sh -c": 'sh -c \'printf "<%s>" "$1"\' _ V',
    "for": "for x in V; do printf '<%s>' \"$x\"; done",
    "case word": "case V in *) printf '<%s>' V;; esac",
    "case pattern": "x=V; case $x in V) printf '<%s>' \"$x\";; *) echo other;; esac",
    "case in a substitution": "x=$(case V in (nothing) :;; *) printf '%s.' 'V';; esac); printf '<%s>' \"${x%.}\"",
    "substitution": "x=$(printf '%s.' V); printf '<%s>' \"${x%.}\"",
    "quotes in a substitution in quotes": 'x="$(printf %s. "V")"; printf "<%s>" "${x%.}"',
    "deep substitution": 'x="$(y="$(printf %s. "V")"; printf %s "$y")"; printf "<%s>" "${x%.}"',
    "heredoc": "printf '<'\ncat <<EOF | head -c -1\nV\nEOF\nprintf '>'",
    "heredoc with quotes": "cat <<EOF >/dev/null\n\"don't $(printf '%s' \"V\")\nEOF\nprintf '<%s>' V",
    "heredoc with tabs": "cat <<-EOF >/dev/null\n\tV\n\tEOF\nprintf '<%s>' V",
    "two heredocs": "cat <<A /dev/stdin <<B >/dev/null\nV '\nA\nV \"\nB\nprintf '<%s>' V",
    "heredoc in a substitution": "x=$(cat <<EOF\nV.\nEOF\n); printf '<%s>' \"${x%.}\"",
    "if": "if [ -n V ] || [ -z V ]; then printf '<%s>' V; else printf '<%s>' V; fi",
    "test": "if [ V = 'V' ]; then printf '<%s>' V; fi",
    "while": "while :; do printf '<%s>' V; break; done",
    "group": "{ printf '<'; printf '%s' V; } && (printf '%s' '>')",
    "comment": "# don't V `\nprintf '<%s>' V # V \"",
    "after an escaped quote": "x=\\'; printf '<%s>' V; x=\\\"",
    "continued line": "printf '<%s>' \\\n V",
    "pipe": "printf '<%s>' V | cat",
    "expansions around": 'e=; printf "<%s>" "${e:-}V$e$((1 - 1))" | cat >/dev/null; printf "<%s>" "${e}V$e"',
    "sed beside it": "printf '<%s>' V | sed 's/a/a/'",
    "env": "x=$(env X=V printenv X; echo .); x=${x%.}\nprintf '<%s' \"$x\" | head -c -1; printf '>'",
}
BASH_SCRIPTS = {
    "here-string": "cat <<< V >/dev/null; printf '<%s>' V",
    "array": 'a=(x V "V"); printf "<%s>" "${a[@]:1:1}"',
    "condition": "if [[ V == V && -n x ]]; then printf '<%s>' V; fi",
    "condition with a pattern": "if [[ V == 'V' || V < V ]]; then printf '<%s>' \"V\"; fi",
    "process substitution": "cat <(printf '<%s>' V)",
    "function": "function f { printf '<%s>' \"$1\"; }; f 'V'",
    "ansi quotes": "x=$'it\\'s'; printf '<%s>' V",
    "all output": "{ printf '<%s>' V; } 2>&1",
    "arithmetic": "for ((i = 0; i < 1; i++)); do printf '<%s>' V; done; ((i > 0))",
}
#: V would be code, or cannot be read here.
REFUSED = [
    "eval V", 'eval "echo V"', "\\eval V", "command eval V", "sh -c V", 'sh -c "echo V"', "sh -ec 'echo V'",
    "cat <<'EOF'\nV\nEOF", "cat <<\\EOF\nV\nEOF", "echo `echo V`", 'echo "`echo V`"', "echo $((V + 1))",
    "echo ${x:-V}", 'echo "${x:-V}"', "trap V EXIT", "trap 'echo V' EXIT", "alias x='V'", ". V", "echo V | sh",
    "cat <<EOF | sh\nV\nEOF", "sh <<EOF\nV\nEOF", "{ echo V; } | sh -s", "read V", "unset V", "export V", "V=1",
    "PS4=V; set -x; :", "sed 's/a/V/' f", 'awk "BEGIN { V }"', "python3 -c V", "env V ls", "xargs sh -c V",
    "echo \\V", 'echo "\\V"', "find . -exec sh -c 'V' ';'", "echo V | xargs -I{} sh -c '{}'", "printf V V",
    "V", "V -a", "$(printf %s V)", "`printf %s V`", '"$(printf %s V)" a', "$DRY V", "exec V", "command V", "sudo V", "PS4+=V", "BASH_ENV=V sh f",
    "sh -c -- V", "bash -c -eu 'V'", "printf V", "echo a >&V", "$'\\x65val' V", "{sh,-c} V", "su -c V", "node -e V",
    "for V in a; do :; done", "V() { :; }", "cat << V", "echo 'V", 'echo "V', "echo $(V", "ssh host V",
]  # fmt: skip
BASH_REFUSED = [
    "echo $'V'", "((V))", "let V", "[[ V -eq 1 ]]", "[[ 1 -lt V ]]", "[[ -v V ]]", "a[V]=1", 'a["V"]=1',
    "a[$(echo V)]=1", "a=([V]=1)", "declare -i n=V", "declare -i n; n=V", "declare V", "printf -v V x", "source V",
    "source <(echo V)", "bash <<< V", "echo $[V]", "for ((i = 0; i < V; i++)); do :; done", "a=(1); declare a=V",
]  # fmt: skip


def needs(shell: str) -> None:
    """Skips where a shell is missing, but not where all of them must be there."""
    if shutil.which(shell) is None:
        (pytest.fail if os.environ.get("DAGRUN_CI") == "1" else pytest.skip)(f"{shell} is not installed")


HOSTILE = [
    "", "plain", " ", "a b  c", "a\nb", "ends\n", "ends\n\n", "\n", "'", '"', "'\"", "$(touch PWNED)", "`touch PWNED`",
    "; touch PWNED;", "\ntouch PWNED\n", "'; touch PWNED; '", '"; touch PWNED; "', "') ; touch PWNED; ('", "*", "~", "#",
    "-n", "-e", "--", "-v", "-ctouch PWNED", "é 漢 🎉", "\\", "\\\\", "\\n", "a\\", "!!", "!x", "%s%n%d", "${HOME}", "$HOME",
    "EOF", "\nEOF\ntouch PWNED\n", "$((1))", "a[$(touch PWNED)]", "($(touch PWNED))", "]] ; touch PWNED", "&touch PWNED&",
    "|touch PWNED", ">PWNED", "<(touch PWNED)", "x" * 30_000, "\r", "\t", "}", "})", "esac", "\x01\x7f", "a'b\"c`d$e\\f\ng",
]  # fmt: skip


def script_of(text: str) -> str:
    return text.replace("V", "${{ params.v }}")


def ran(shell: str, text: str, value: str, where: Path, within: Sequence[str] = ()) -> str:
    """What a script prints; a file in the directory shows whether it ran the value."""
    fitted = substitute(script_of(text), shell)
    scope = Scope({"params": {"v": value}})
    variables = {each.name: each.expression.evaluate(scope) for each in fitted.variables}
    return output([*within, shell, "-c", fitted.script], variables, where)


def output(argv: list[str], variables: Mapping[str, str], where: Path) -> str:
    # A value may be the name of a command, too.
    pwn = where / "bin" / "pwn"
    pwn.parent.mkdir(exist_ok=True)
    pwn.write_text("#!/bin/sh\n: >PWNED\n")
    pwn.chmod(0o755)
    env = {"PATH": f"{pwn.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(
        argv, cwd=where, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert not (where / "PWNED").exists(), argv
    return done.stdout.decode("utf-8", "surrogateescape")


def known_to(shell: str) -> dict[str, str]:
    return POSIX_SCRIPTS | (BASH_SCRIPTS if shell in BASHISMS else {})


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", POSIX_SCRIPTS | BASH_SCRIPTS)
def test_a_value_arrives_as_it_is(shell: str, name: str, tmp_path: Path) -> None:
    if name not in known_to(shell):
        pytest.skip("not in this shell")
    needs(shell)
    # Every value in the plainest places, each third one in the others: a process takes its time.
    plainest = ("bare", "double quotes", "single quotes", "heredoc")
    for value in (
        HOSTILE if name in plainest else HOSTILE[sorted(POSIX_SCRIPTS | BASH_SCRIPTS).index(name) % 3 :: 3]
    ):
        assert ran(shell, known_to(shell)[name], value, tmp_path) == f"<{value}>", value


@pytest.mark.parametrize("text", [*REFUSED, *BASH_REFUSED])
def test_a_value_that_could_run_is_refused(text: str) -> None:
    with pytest.raises(ScriptProblems) as caught:
        substitute(script_of(text), "bash")
    assert all("put it in `env:` and read the variable" in error.message for error in caught.value.errors)
    assert caught.value.errors[0].offset == text.index("V")


# --- any nesting of contexts ---
# The same examples every time and on every machine, each run by whatever shell is there. For a search, set
# DAGRUN_SEARCH to a number of examples.

SEARCH = int(os.environ.get("DAGRUN_SEARCH", "0"))

#: Each prints what `{}` prints; the inner text is a command.
AROUND = [
    "{}", "{{ {}; }}", "({})", 'printf %s "$({})"', "x=$({}); printf %s \"$x\"", "if :; then {}; fi", "f() {{ {}; }}; f",
    "case a in b) ;; a) {} ;; esac", "for i in 1; do {}; done", "cat <<E1\n$({})\nE1", "cat <<-\tE2\n\t$({})\n\tE2",
    "{} | cat", ": 'quo\"te'; {}", ": \"don't\"; {}", "true && {}", "# it's\n{}", "x=\"a$(:)'\"; {}", "! false && {}",
    "printf %s \"$(cat <<E3\n$({})\nE3\n)\"", "while :; do {}; break; done", ": ${{x:-'}}'}} ; {}", ": $((1 + (2))); {}",
]  # fmt: skip
INNER = [
    "printf %s V",
    "printf %s 'V'",
    'printf %s "V"',
    "printf %s a'V'\"V\"V",
    'x=V; printf %s "$x"',
    "cat <<E0\nV 'V' \"V\"\nE0",
]


@st.composite
def nested_scripts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(INNER))
    for around in draw(st.lists(st.sampled_from(AROUND), max_size=4)):
        # A heredoc ends its line, so what follows it must start on the next.
        inner = f"\n{text}\n" if "<<" in text else text
        text = around.replace("{{", "\1").replace("}}", "\2").replace("{}", inner)
        text = text.replace("\1", "{").replace("\2", "}").replace("\n;", "\n")
    return text


values = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)


def examples(number: int) -> settings:
    return settings(
        max_examples=SEARCH or number, derandomize=not SEARCH, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@examples(40)
@given(text=nested_scripts(), value=values)
def test_any_nesting_prints_what_a_harmless_value_would_have_printed(
    shell: str, text: str, value: str
) -> None:
    needs(shell)
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        try:
            printed = ran(shell, text, value, where)
        except ScriptProblems:
            return
        marked = ran(shell, text, "MARK", where)
    # A substitution drops the line breaks at its end: what is left must be the same.
    assert without_breaks(printed) == without_breaks(marked.replace("MARK", value))


def without_breaks(text: str) -> str:
    return text.replace("\n", "")


PIECES = ["V", "'", '"', "`", "$(", ")", "\\", "\n", " ", ";", "echo ", "cat <<E\n", "\nE\n", "cat <<'E'\n", "${x:-", "}", "|", "a=",
          "(", "eval ", "case a in ", "esac", "#", "$'", "$((", "))", "[[ ", " ]]", "{ ", "if ", "then ", "fi", "<(", "a[", "]=1",
          "|sh\n", "sh -c ", "eval \"", "`echo "]  # fmt: skip
RUNNABLE = ["$(touch PWNED)", "'; touch PWNED; '", '"; touch PWNED; "', "\ntouch PWNED\n", "`touch PWNED`",
            "a[$(touch PWNED)]", "\\", ";touch PWNED;", ");touch PWNED;("]  # fmt: skip


@st.composite
def damaged_scripts(draw: st.DrawFn) -> str:
    """A good script with pieces pushed into it: near enough to one that shells still run parts of it."""
    text = draw(
        st.one_of(nested_scripts(), st.sampled_from([*known_to("bash").values(), *REFUSED, *BASH_REFUSED]))
    )
    for piece in draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3)):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + piece + text[at:]
    return text


@pytest.mark.parametrize("shell", SHELLS)
@examples(60)
@given(text=damaged_scripts(), value=st.sampled_from(RUNNABLE))
def test_no_script_however_damaged_runs_a_value(shell: str, text: str, value: str) -> None:
    needs(shell)
    runs_nothing(shell, text, value)


def runs_nothing(shell: str, text: str, value: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        try:
            # A damaged script may wait for ever; what it did until then is what counts.
            ran(shell, text, value, Path(name), ["timeout", "2"])
        except ScriptProblems:
            return


# --- any command ---
# Scripts from a grammar with values in every kind of place. What they assign, they do not evaluate themselves.

ARGUMENTS = [
    "V", "V", "V", "V", '"V"', "'V'", "aV", "-V", "-vV", "--o=V", "=V", "~V", "x=V", "V=w", "V[0]", "w[V", "{V,w}", "{1..V}", "V*",
    "$(show V)", '"$(show V)"', "$(V)", "`show V`", "${e:-V}", '"${e:-$(show V)}"', "$'V'", "$'a\\'V'", "$((V))", "$[V]", "$((1))V", "\\V",
    "$V", "$$V", "\\\\V", '"$e V"', "<(show V)", "=(show V)", "@(V|a)", "$e", '"$e"', '"$@"', "w", "-v", "-eq", "=", "--", "-", "-t", "-n",
    "-r", "-p", "-a", "-A", "-o", "%s", "%d", "%n", "1", "x", "$'-v'", "$'\\x2dv'", "{-v,w}", "'-v'", "'a\nV'", "$\\\n{e}", "$e[V]",
]  # fmt: skip
COMMANDS = [
    "show", "cat", ":", "V", "eval", "e'v'al", "\\eval", '"ev"al', "$'\\x65val'", "$'ev'al", "{eval,w}", "ev\\\nal", "command eval",
    "command -p eval", "builtin eval", "exec eval", "$e eval", "$(:) eval", "`:` eval", "${e}eval", "${e:-eval}", "$e", '"$@" eval',
    "time -p eval", "noglob eval", "- eval", "A=1 eval", "A\\\n=1 eval", "a[b[0]]=1", "a[1 + 1]=1", "test", "[", "[ -t", "[ -v", "printf",
    "printf -v", "read", "read -r", "declare", "typeset", "export", "local", "readonly", "declare -i", "typeset -n", "let", "print",
    "print -r", "print -r --", "set", "set --", "shift", "trap", "alias", "unset", "wait", "mapfile", ".", "source", "integer", "float",
    "getopts", "return", "exit", "hash", "kill", "cd", "ulimit", "break", "setopt", "vared", "autoload", "functions", "emulate", "coproc",
    "jobs -x", "compgen -C", "zstyle", "zparseopts", "env", "nice", "nohup", "[[ -v", "[[ 1 -eq", "((",
]  # fmt: skip
ASSIGNED = [
    "x=V", "x='aV'", "PS4=V", "PROMPT_COMMAND=V", "BASH_ENV=V", "ENV=V", "RANDOM=V", "OPTIND=V", "SECONDS=V", "a=(V w)", "a[V]=1", "a[0]=V",
    "a=([V]=1)", "x+=V", "V=1", "x=$(show V)", "x=V:~V", "x=~V", "functions[f]=V", "COLUMNS=V", "PS4\\\n=V", "x={V,w}", "PROMPT=V",
]  # fmt: skip
REDIRECTED = [
    "", "", "", ">V", ">&V", "<&V", "<<<V", "<V", "&>V", "{fd}>V", "{x}<V", "<<E\nV\nE\n", "<<'E'\nV\nE\n", "<<E\n${e:-V}`show V`\nE\n",
    "<<-E\n\t\"V\" $(show V)\n\tE\n", "<<E\n$((V))\\V\nE\n",
]  # fmt: skip
BEFORE = [
    "", "", "", "declare -i n x\n", "typeset -n x=y\n", "a=(1 2)\n", "set -x\n", "integer x\n", "shopt -s extglob\n", "((x = 1))\n",
    "setopt rcquotes\n", "setopt promptsubst; set -x\n", "alias w='eval '\n",
]  # fmt: skip
HOLDING = [
    "{}", "{}", "{}", "{{ {}; }}", "({})", "if {}; then {}; fi", "while {}; do {}; break; done", "for x in V; do {}; done", "f() {{ {}; }}; f V",
    "case V in (w|V) {} ;; *) {};; esac", "{} | {}", "{} && {}", "! {}", "{}\n{}", "# it's V\n{}", "(\\\n({}))", "{{\\\n {}; }}",
    "i\\\nf {}; then {}; fi", "x=$({})", 'show "$({})"', "function f {{ {}; }}; f V", "select x in V; do {}; done", "time {}",
]  # fmt: skip
SHOW = "show() { printf '<%s>' \"$@\"; }\n"
COMMAND_VALUES = [
    "$(>PWNED)", "`>PWNED`", ";>PWNED;", "\n>PWNED\n", "a[$(>PWNED)]", "path[$(>PWNED)]", "-va[$(>PWNED)]", "-Ca[$(>PWNED)]", "-v",
    "pwn", "'>PWNED'", '">PWNED"', "x=$(>PWNED)", "]] >PWNED", ")>PWNED(", "($(>PWNED))", "-eq", "1+a[$(>PWNED)]", "*", "}; >PWNED",
]  # fmt: skip


@st.composite
def simple_commands(draw: st.DrawFn) -> str:
    one_of = st.sampled_from
    words = [draw(one_of(COMMANDS)), *draw(st.lists(one_of(ARGUMENTS), max_size=3))]
    closing = {"[[": "]]", "[": "]", "((": "))"}
    words += [end for start, end in closing.items() if words[0].split()[0] == start]
    if draw(st.integers(0, 4)) == 0:
        words.insert(0, draw(one_of(ASSIGNED)))
    return " ".join([*words, draw(one_of(REDIRECTED))]).rstrip(" ")


@st.composite
def hostile_scripts(draw: st.DrawFn) -> str:
    text = draw(simple_commands())
    for around in draw(st.lists(st.sampled_from(HOLDING), max_size=3)):
        text = around.format(*[text, draw(simple_commands())][: around.count("{}")])
    text = draw(st.sampled_from(BEFORE)) + text
    for piece in draw(st.lists(st.sampled_from(PIECES), max_size=2)) if draw(st.booleans()) else ():
        at = draw(st.integers(0, len(text)))
        text = text[:at] + piece + text[at:]
    return SHOW + text


@pytest.mark.parametrize("shell", SHELLS)
@examples(150)
@given(text=hostile_scripts(), value=st.sampled_from(COMMAND_VALUES))
def test_no_command_whatever_it_is_runs_a_value(shell: str, text: str, value: str) -> None:
    needs(shell)
    runs_nothing(shell, text, value)
