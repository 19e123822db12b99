"""A scanner for sh, bash, dash, ksh and zsh that tells how each `${{ }}` of a script is quoted.

It follows the shells' grammar as far as quoting and the names of commands depend on it. Where they read a text
differently, or where it cannot follow, it gives up (`_Lost`) and refuses everything from the last finished statement on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from dagrun.scripts.parts import Command, Heredoc, Word
from dagrun.scripts.rules import evaluating_assignments, judge, judge_condition

SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
#: Stands for a `${{ }}` in the text that is scanned; no script can hold it.
HOLE: Final = "\0"
MOST_NESTING: Final = 40


class Fit(Enum):
    """How a reference must be written."""

    BARE = auto()
    DOUBLE = auto()
    SINGLE = auto()
    COMMENT = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Place:
    """Where one `${{ }}` stands; `why` says why it is refused."""

    fit: Fit
    why: str = ""


def places(text: str, shell: str) -> list[Place]:
    """The place of every HOLE in a script, in order."""
    return _Scanner(text, shell).run()


class _Lost(Exception):
    """The scanner cannot tell how the shell reads on."""


_CHUNK: Final = re.compile(r"[^\\'\"`$()<>|&;\s\0]+")
_QUOTED_CHUNK: Final = re.compile(r'[^\\"`$\0]+')
_HEREDOC_CHUNK: Final = re.compile(r"[^\\`$\0]+")
_BLANK: Final = re.compile(r"(?:[ \t]|\\\n)+")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ZSH_NAME: Final = re.compile(r"[+^=~#]*[A-Za-z0-9_]+\[")
_RESERVED: Final = re.compile(r"(?:\[\[|[!{}]|[a-z]+)(?=[\s;&|()<>]|$)")
_REDIRECT: Final = re.compile(r"(?:[0-9]+|\{\w+\})?(<<<|<<-|<<|<&|<>|>>|>&|>\||<(?!\()|>(?!\()|&>>|&>)")
_ARRAY: Final = re.compile(r"[A-Za-z_]\w*\+?=\Z")
_BRACED_CHUNK: Final = re.compile(r"[^\\'\"`$\0{}]+")
_SIGN: Final = re.compile(r"&&|\|\||[()<>|&]")
_CONDITION_END: Final = re.compile(r"\]\](?=[\s;&|()<>]|$)")
_BACKTICKS: Final = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
_EMPTY: Final = re.compile(r"\([ \t]*\)")
_CASE_END: Final = re.compile(r";;&|;;|;&|;\|")
_CLOSERS: Final = frozenset({"then", "do", "done", "fi", "elif", "else", "esac", "}"})
_NOTHING: Final[frozenset[str]] = frozenset()
_ANSI_END: Final = re.compile(r"(?:[^\\']|\\.)*'", re.DOTALL)

_IN_ARITHMETIC: Final = "arithmetic runs what it finds in a value"
_IN_SUBSCRIPT: Final = "a subscript is arithmetic, which runs what it finds in a value"


class _Scanner:
    def __init__(self, text: str, shell: str) -> None:
        self.text = text
        self.shell = shell
        self.at = 0
        self.level = 0
        self.depth = 0
        #: Everything before this is understood for good.
        self.settled = 0
        self.holes = [match.start() for match in re.finditer(HOLE, text)]
        self.fits: dict[int, Fit] = {}
        self.refused: dict[int, str] = {}
        self.pending: list[Heredoc] = []
        self.heredocs: list[Heredoc] = []
        #: Words that give a variable its value; harmless only while no variable is of a type that evaluates.
        self.assigned: list[Word] = []

    def run(self) -> list[Place]:
        try:
            self._whole()
        except (_Lost, RecursionError) as lost:
            why = f" ({lost})" if isinstance(lost, _Lost) else ""
            self._refuse(self.settled, len(self.text), f"the script cannot be followed to here{why}")
        if why := evaluating_assignments(self.text, self.shell):
            for word in self.assigned:
                self._refuse(word.start, word.end, why)
        return [self._place(hole) for hole in self.holes]

    def _whole(self) -> None:
        self._statements(_NOTHING)
        if self.at < len(self.text):
            raise _Lost(f"'{self.text[self.at]}' on line {self._line(self.at)} closes nothing")
        if self.pending:
            raise _Lost(f"the heredoc '{self.pending[0].delimiter}' has no end")

    def _place(self, hole: int) -> Place:
        if hole in self.refused:
            return Place(Fit.REFUSED, self.refused[hole])
        fit = self.fits.get(hole)
        return Place(fit) if fit else Place(Fit.REFUSED, "the script cannot be followed to here")

    def _refuse(self, start: int, end: int, why: str) -> None:
        for hole in self.holes[bisect_left(self.holes, start) : bisect_left(self.holes, end)]:
            self.refused.setdefault(hole, why)

    def _count(self, start: int, end: int) -> int:
        return bisect_left(self.holes, end) - bisect_left(self.holes, start)

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1

    def _sees(self, *what: str) -> bool:
        return self.text.startswith(what, self.at)

    # --- lists, pipelines, commands ---

    def _statements(self, stops: frozenset[str]) -> None:
        """Statements up to a reserved word of `stops`, a closing parenthesis, the end of a case branch, or the end."""
        self.level += 1
        while self._at_statement(stops):
            self._and_or()
            self._gap()
            if self._sees(";", "&") and not _CASE_END.match(self.text, self.at):
                self.at += 1
            elif self.at < len(self.text) and not self._sees("\n", ")", ";"):
                raise _Lost(f"unexpected '{self.text[self.at]}' on line {self._line(self.at)}")
            if self.level == 1:
                self.settled = self.at
        self.level -= 1

    def _at_statement(self, stops: frozenset[str]) -> bool:
        self._gaps()
        if self.at >= len(self.text) or self._sees(")") or _CASE_END.match(self.text, self.at):
            return False
        return self._reserved() not in stops

    def _and_or(self) -> None:
        self._pipeline()
        self._gap()
        while self._sees("&&", "||"):
            self.at += 2
            self._gaps()
            self._pipeline()
            self._gap()

    def _pipeline(self) -> None:
        first = self._command()
        self._gap()
        while self._sees("|") and not self._sees("||"):
            self.at += 2 if self._sees("|&") else 1
            self._gaps()
            following = self._command()
            if following.runs_input:
                self._refuse_output(first.start, following.start)
            self._gap()

    def _refuse_output(self, start: int, end: int) -> None:
        why = "a later command of this pipeline runs what it reads as code"
        self._refuse(start, end, why)
        for heredoc in self.heredocs:
            if start <= heredoc.at < end:
                self._refuse_heredoc(heredoc, why)

    def _refuse_heredoc(self, heredoc: Heredoc, why: str) -> None:
        heredoc.refused = why
        if heredoc.body:
            self._refuse(*heredoc.body, why)

    def _reserved(self) -> str:
        match = _RESERVED.match(self.text, self.at)
        return match[0] if match else ""

    def _take(self, word: str) -> None:
        self._gaps()
        if self._reserved() != word:
            raise _Lost(f"'{word}' is expected on line {self._line(self.at)}")
        self.at += len(word)

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > MOST_NESTING:
            raise _Lost(f"it is nested deeper than {MOST_NESTING} levels")
        yield
        self.depth -= 1

    def _command(self) -> Command:
        with self._deeper():
            return self._any_command()

    def _any_command(self) -> Command:
        self._gap()
        while (word := self._reserved()) in ("!", "time", "coproc"):
            self.at += len(word)
            self._gap()
        command = Command(self.at)
        compound = self._compounds().get(word)
        if self._sees("(("):
            self._double_parentheses()
        elif self._sees("("):
            self._subshell()
        elif word in _CLOSERS:
            raise _Lost(f"unexpected '{word}' on line {self._line(self.at)}")
        elif compound:
            self.at += len(word)
            compound()
        else:
            self._simple(command)
            return command
        while self._redirect(command):
            pass
        command.end = self.at
        return command

    def _compounds(self) -> dict[str, Callable[[], None]]:
        loop = self._while
        named = self._for
        return {
            "{": lambda: self._block("}"),
            "if": self._if,
            "while": loop,
            "until": loop,
            "for": named,
            "select": named,
            "case": self._case,
            "function": self._function,
            "[[": self._conditional,
            **({"repeat": self._repeat} if self.shell == "zsh" else {}),
        }

    def _subshell(self) -> None:
        start = self.at
        self.at += 1
        self._statements(_NOTHING)
        if not self._sees(")"):
            raise _Lost(f"the parenthesis on line {self._line(start)} is not closed")
        self.at += 1

    def _block(self, end: str) -> None:
        self._statements(frozenset({end}))
        self._take(end)

    def _if(self) -> None:
        self._block("then")
        while True:
            self._statements(frozenset({"elif", "else", "fi"}))
            word = self._reserved()
            if word == "elif":
                self.at += 4
                self._block("then")
            elif word == "else":
                self.at += 4
                return self._block("fi")
            else:
                return self._take("fi")

    def _while(self) -> None:
        self._block("do")
        self._block("done")

    def _repeat(self) -> None:
        self._gap()
        count = self._word()
        self._refuse(count.start, count.end, _IN_ARITHMETIC)
        self._body()

    def _body(self) -> None:
        self._gap()
        if self._sees(";"):
            self.at += 1
        self._gaps()
        if self._reserved() == "{":
            self.at += 1
            return self._block("}")
        self._take("do")
        return self._block("done")

    def _for(self) -> None:
        self._gap()
        if self._sees("(("):
            self.at += 2
            self._arithmetic()
            return self._body()
        name = self._word()
        self._refuse(name.start, name.end, "this is the name of a variable")
        self._gaps()
        if self._reserved() == "in":
            self.at += 2
            self._gap()
            while self.at < len(self.text) and not self._sees(";", "\n"):
                self._word()
                self._gap()
        return self._body()

    def _case(self) -> None:
        self._gap()
        self._word()
        self._take("in")
        while True:
            self._gaps()
            if self._reserved() == "esac":
                return self._take("esac")
            if self._sees("("):
                self.at += 1
            self._patterns()
            self._statements(frozenset({"esac"}))
            if end := _CASE_END.match(self.text, self.at):
                self.at = end.end()
            elif self._reserved() != "esac":
                raise _Lost(f"the case before line {self._line(self.at)} is not closed")

    def _patterns(self) -> None:
        while not self._sees(")"):
            self._gaps()
            if self._sees("|"):
                self.at += 1
            elif not self._sees(")"):
                self._word()
        self.at += 1

    def _function(self) -> None:
        self._gap()
        name = self._word()
        self._refuse(name.start, name.end, "this is the name of a function")
        self._gap()
        if self._sees("("):
            self._empty_parentheses()
        self._gaps()
        self._command()

    def _empty_parentheses(self) -> None:
        self.at += 1
        self._gap()
        if not self._sees(")"):
            raise _Lost(f"unexpected '(' on line {self._line(self.at)}")
        self.at += 1

    def _double_parentheses(self) -> None:
        if self.shell in ("sh", "dash"):
            raise _Lost(f"'((' on line {self._line(self.at)} is not read alike by every sh")
        self.at += 2
        self._arithmetic()

    def _conditional(self) -> None:
        words: list[Word] = []
        while True:
            self._gaps(comments=False)
            if self._reserved_end():
                break
            if self.at >= len(self.text) or self._sees(";", "#"):
                raise _Lost(f"'[[' before line {self._line(self.at)} is not closed")
            if sign := _SIGN.match(self.text, self.at):
                words.append(Word(self.at, end=sign.end(), lead=sign[0], known=sign[0]))
                self.at = sign.end()
            else:
                words.append(self._word())
        for word, why in judge_condition(words).refused:
            self._refuse(word.start, word.end, why)

    def _reserved_end(self) -> bool:
        if not _CONDITION_END.match(self.text, self.at):
            return False
        self.at += 2
        return True

    def _simple(self, command: Command) -> None:
        while True:
            self._gap()
            if self._redirect(command):
                continue
            if self.at >= len(self.text) or self._sees("\n", ";", "&", "|", ")"):
                break
            if self._sees("("):
                self._definition(command)
                return
            command.words.append(self._word())
        command.end = self.at
        if not command.words and not command.inputs and not command.heredocs and command.end == command.start:
            raise _Lost(f"a command is missing on line {self._line(self.at)}")
        self._judge(command)

    def _definition(self, command: Command) -> None:
        if len(command.words) != 1:
            raise _Lost(f"unexpected '(' on line {self._line(self.at)}")
        name = command.words.pop()
        self._refuse(name.start, name.end, "this is the name of a function")
        self._empty_parentheses()
        self._gaps()
        self._command()
        command.end = self.at

    def _judge(self, command: Command) -> None:
        verdict = judge(command.words, self.shell)
        for word, why in verdict.refused:
            self._refuse(word.start, word.end, why)
        self.assigned += verdict.assigned
        command.runs_input = verdict.runs_input
        if verdict.runs_input:
            why = "the command runs what it reads as code"
            for word in command.inputs:
                self._refuse(word.start, word.end, why)
            for heredoc in command.heredocs:
                self._refuse_heredoc(heredoc, why)

    def _redirect(self, command: Command) -> bool:
        self._gap()
        match = _REDIRECT.match(self.text, self.at)
        if match is None or (match[1].startswith("&") and self.shell in ("sh", "dash")):
            return False
        at = self.at
        self.at = match.end()
        self._gap()
        if match[1] in ("<<", "<<-"):
            command.heredocs.append(self._heredoc(at, strip_tabs=match[1] == "<<-"))
            return True
        target = self._word()
        if match[1].startswith("<"):
            command.inputs.append(target)
        return True

    # --- what lies between words ---

    def _gap(self, comments: bool = True) -> None:
        """Blanks, continued lines and a comment."""
        if blank := _BLANK.match(self.text, self.at):
            self.at = blank.end()
        if comments and self._sees("#"):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            for hole in self.holes[bisect_left(self.holes, self.at) : bisect_left(self.holes, end)]:
                self.fits[hole] = Fit.COMMENT
            self.at = end

    def _gaps(self, comments: bool = True) -> None:
        """The same over several lines."""
        self._gap(comments)
        while self._sees("\n"):
            self.at += 1
            self._heredoc_bodies()
            self._gap(comments)

    # --- heredocs ---

    def _heredoc(self, at: int, strip_tabs: bool) -> Heredoc:
        word = self._word()
        raw = self.text[word.start : word.end]
        if word.holes or word.value is None or not raw or set(raw) & set("$`()\n"):
            raise _Lost(f"the end of the heredoc on line {self._line(at)} cannot be told")
        heredoc = Heredoc(at, word.value, not word.plain, strip_tabs)
        self.pending.append(heredoc)
        self.heredocs.append(heredoc)
        return heredoc

    def _heredoc_bodies(self) -> None:
        waiting, self.pending = self.pending, []
        for heredoc in waiting:
            start = self.at
            end, after = self._heredoc_end(heredoc)
            heredoc.body = (start, end)
            if heredoc.quoted:
                self._refuse(start, end, "a quoted heredoc is taken as it is written")
            else:
                self._expanding(end)
            if heredoc.refused:
                self._refuse(start, end, heredoc.refused)
            self.at = after

    def _heredoc_end(self, heredoc: Heredoc) -> tuple[int, int]:
        """Where the body ends and where the script goes on."""
        at = self.at
        continued = False
        while at < len(self.text):
            newline = self.text.find("\n", at)
            end = len(self.text) if newline < 0 else newline
            line = self.text[at:end]
            if (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.delimiter:
                if continued:
                    raise _Lost(f"the line above the end of the heredoc on line {self._line(at)} goes on")
                return at, min(end + 1, len(self.text))
            continued = not heredoc.quoted and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            at = end + 1
        raise _Lost(f"the heredoc '{heredoc.delimiter}' has no end")

    def _expanding(self, end: int) -> None:
        """The body of an unquoted heredoc: quotes are text, `$` and backticks are not."""
        whole, self.text = self.text, self.text[:end]
        try:
            while self.at < end:
                self._quoted_piece(Word(self.at), _HEREDOC_CHUNK)
        finally:
            self.text = whole

    # --- words ---

    def _word(self) -> Word:
        word = Word(self.at)
        while self.at < len(self.text) and self._piece(word):
            pass
        word.end = self.at
        word.raw = self.text[word.start : word.end]
        word.holes = self._count(word.start, word.end)
        if word.end == word.start:
            raise _Lost(f"a word is missing on line {self._line(self.at)}")
        return word

    def _piece(self, word: Word) -> bool:
        """One more piece of a word; False at its end."""
        if chunk := _CHUNK.match(self.text, self.at):
            word.add(chunk[0])
            self.at = chunk.end()
            if "[" in chunk[0] or "]" in chunk[0]:
                word.in_brackets = chunk[0].rfind("[") > chunk[0].rfind("]")
            return True
        start = self.at
        goes_on = self._special_piece(word)
        if word.in_brackets:
            # `a[$(..)]=` too: what the command prints is calculated with.
            self._refuse(start, self.at, _IN_SUBSCRIPT)
        return goes_on

    def _special_piece(self, word: Word) -> bool:
        match self.text[self.at]:
            case "\0":
                self._hole(word, Fit.BARE)
            case "\\":
                self._backslash(word)
            case "'":
                self._single(word)
            case '"':
                self._double(word)
            case "`":
                self._backticks(word)
            case "$":
                self._dollar(word, quoted=False)
            case "<" | ">" if self._sees("<(", ">("):
                self.at += 2
                self._nested()
                word.fixed = False
            case "(":
                return self._parenthesis(word)
            case char if char.isspace() and char not in " \t\n":
                word.add(char)
                self.at += 1
            case _:
                return False
        return True

    def _hole(self, word: Word, fit: Fit) -> None:
        self.fits.setdefault(self.at, fit)
        word.fixed = False
        self.at += 1

    def _backslash(self, word: Word) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if following == HOLE:
            self._refuse(self.at, self.at + 2, "the backslash before it would take the quote")
        if following != "\n":
            word.add(following)
            word.plain = False
        self.at = min(self.at + 2, len(self.text))

    def _single(self, word: Word) -> None:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise _Lost(f"the quote ' on line {self._line(self.at)} is never closed")
        inner = self.text[self.at + 1 : end]
        self._no_break(self.at, end)
        for hole in self.holes[bisect_left(self.holes, self.at) : bisect_left(self.holes, end)]:
            self.fits.setdefault(hole, Fit.SINGLE)
        word.plain = False
        before, hole_char, _ = inner.partition(HOLE)
        word.add(before)
        word.fixed = word.fixed and not hole_char
        self.at = end + 1

    def _double(self, word: Word) -> None:
        start = self.at
        word.plain = False
        self.at += 1
        while not self._sees('"'):
            if self.at >= len(self.text):
                raise _Lost(f'the quote " on line {self._line(start)} is never closed')
            self._quoted_piece(word, _QUOTED_CHUNK)
        self.at += 1
        self._no_break(start, self.at)

    def _quoted_piece(self, word: Word, chunks: re.Pattern[str]) -> None:
        """One piece of what stands in double quotes or in an unquoted heredoc."""
        if chunk := chunks.match(self.text, self.at):
            word.add(chunk[0])
            self.at = chunk.end()
            return
        match self.text[self.at]:
            case "\0":
                self._hole(word, Fit.DOUBLE)
            case "\\":
                self._backslash(word)
            case "`":
                self._backticks(word)
            case _:
                self._dollar(word, quoted=True)

    def _no_break(self, start: int, end: int) -> None:
        """A line break inside a word while a heredoc waits for its body: the shells do not agree where that begins."""
        if self.pending and "\n" in self.text[start:end]:
            raise _Lost(f"a line break in quotes stands before the heredoc '{self.pending[0].delimiter}'")

    def _backticks(self, word: Word) -> None:
        end = _BACKTICKS.match(self.text, self.at)
        if end is None:
            raise _Lost(f"the backtick on line {self._line(self.at)} is never closed")
        self._refuse(self.at, end.end(), "backticks read their text twice; write $(..)")
        self._no_break(self.at, end.end())
        word.fixed = word.plain = False
        self.at = end.end()

    def _parenthesis(self, word: Word) -> bool:
        """A parenthesis inside a word: an array, the end of a function's name, or a pattern."""
        if self.at == word.start or _EMPTY.match(self.text, self.at):
            return self._empty_array(word)
        if word.plain and word.fixed and _ARRAY.match(word.lead):
            self.at += 1
            self._elements()
        else:
            start = self.at
            self.at += 1
            while not self._sees(")"):
                if self.at >= len(self.text) or self._sees("\n", "#"):
                    raise _Lost(f"the parenthesis on line {self._line(start)} is not understood")
                if not self._piece(word):
                    self.at += 1
            self.at += 1
            self._refuse(start, self.at, "a pattern in parentheses is not understood")
        word.fixed = False
        return True

    def _empty_array(self, word: Word) -> bool:
        if self.at == word.start or not _ARRAY.match(word.lead):
            return False
        self.at = self.text.index(")", self.at) + 1
        word.fixed = False
        return True

    def _elements(self) -> None:
        if self.pending:
            raise _Lost(f"a list stands before the heredoc '{self.pending[0].delimiter}'")
        while True:
            self._gaps()
            if self._sees(")"):
                self.at += 1
                return
            self._word()

    # --- what a dollar begins ---

    def _dollar(self, word: Word, *, quoted: bool) -> None:
        with self._deeper():
            self._expansion(word, quoted=quoted)

    def _expansion(self, word: Word, *, quoted: bool) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        start = self.at
        if following == "'" and not quoted:
            return self._ansi(word)
        if following == '"' and not quoted:
            self.at += 1
            return None
        if self._sees("$(("):
            self.at += 3
            self._arithmetic()
        elif following == "(":
            self.at += 2
            self._nested()
        elif following == "{":
            self._braces(quoted=quoted)
        elif following == "[":
            self._brackets(self.at + 1, _IN_ARITHMETIC)
        elif self.shell == "zsh" and (name := _ZSH_NAME.match(self.text, self.at + 1)):
            self._brackets(name.end() - 1, _IN_SUBSCRIPT)
        elif following and (following in "#?$!@*-" or following.isdigit()):
            self.at += 2
        elif name := _NAME.match(self.text, self.at + 1):
            self.at = name.end()
        else:
            self._refuse(self.at, self.at + 2, "the dollar before it would take the quote")
            word.add("$")
            self.at += 1
            return None
        self._no_break(start, self.at)
        word.fixed = False
        return None

    def _ansi(self, word: Word) -> None:
        start = self.at
        end = _ANSI_END.match(self.text, start + 2)
        plain_end = self.text.find("'", start + 2) + 1
        if end is None or (self.shell in ("sh", "dash") and end.end() != plain_end):
            raise _Lost(
                f"$'..' on line {self._line(start)} is not read alike by every shell, or never closed"
            )
        self._refuse(start, end.end(), "$'..' cannot hold a reference")
        self._no_break(start, end.end())
        word.add(self.text[start + 2 : end.end() - 1])
        word.plain = False
        self.at = end.end()

    def _nested(self) -> None:
        """A command inside a word or a subshell, after its opening parenthesis: everything starts anew."""
        start = self.at
        waiting, self.pending = self.pending, []
        self._statements(_NOTHING)
        if not self._sees(")") or self.pending:
            raise _Lost(f"the parenthesis on line {self._line(start)} is not closed")
        self.pending = waiting
        self.at += 1
        self._no_break(start, self.at)

    def _arithmetic(self) -> None:
        """Up to the `))` that ends it; what could also be a command in a subshell is not guessed at."""
        start = self.at
        depth = 0
        word = Word(start)
        while depth or not self._sees("))"):
            if self.at >= len(self.text) or self._sees("'", "\\", ";;") or (not depth and self._sees(")")):
                raise _Lost(f"the arithmetic on line {self._line(start)} is not understood")
            match self.text[self.at]:
                case "$":
                    self._dollar(word, quoted=True)
                    continue
                case '"':
                    self._double(word)
                    continue
                case "`":
                    self._backticks(word)
                    continue
                case "(":
                    depth += 1
                case ")":
                    depth -= 1
            self.at += 1
        self.at += 2
        self._refuse(start, self.at, _IN_ARITHMETIC)
        self._no_break(start, self.at)

    def _brackets(self, opening: int, why: str) -> None:
        """A subscript or `$[..]`, from its opening bracket; one with quotes in it is not guessed at."""
        end = self.text.find("]", opening)
        if end < 0 or re.search(r"[\\'\"`$(\[\n]", self.text[opening + 1 : end]):
            raise _Lost(f"the brackets on line {self._line(opening)} are not understood")
        self._refuse(opening, end, why)
        self.at = end + 1

    def _braces(self, *, quoted: bool) -> None:
        start = self.at
        self.at += 2
        if self._sees(" ", "\t", "\n", "|"):
            raise _Lost(f"'${{' on line {self._line(start)} is not understood")
        word = Word(start)
        while not self._sees("}"):
            at = self.at
            # Inside double quotes the shells disagree on what a quote in braces is.
            if at >= len(self.text) or self._sees("{") or (quoted and self._sees("'")):
                raise _Lost(f"'${{' on line {self._line(start)} is never closed, or not understood")
            self._braced_piece(word, quoted=quoted)
            if quoted and self.text[at] == '"' and "}" in self.text[at : self.at]:
                raise _Lost(f"the quotes in '${{' on line {self._line(start)} are not understood")
        self.at += 1
        self._refuse(start, self.at, "inside ${..} a value would be taken for a part of it")

    def _braced_piece(self, word: Word, *, quoted: bool) -> None:
        if chunk := _BRACED_CHUNK.match(self.text, self.at):
            self.at = chunk.end()
            return
        match self.text[self.at]:
            case "\\":
                self._backslash(word)
            case "'":
                self._single(word)
            case '"':
                self._double(word)
            case "`":
                self._backticks(word)
            case "$":
                self._dollar(word, quoted=quoted)
            case _:
                self.at += 1
