"""Reading statements: pipelines, compound commands, and simple commands, which the rules check."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from dagrun.language.scripts.parts import ScriptCommand, Word
from dagrun.language.scripts.placeholders import Context
from dagrun.language.scripts.rules import CommandCheck, check_command, check_condition
from dagrun.language.scripts.rules.assignments import assign
from dagrun.language.scripts.rules.bashisms import note_builtin
from dagrun.language.scripts.rules.command_check import name_set
from dagrun.language.scripts.shell.cursor import ScanError
from dagrun.language.scripts.shell.pieces import CONTINUED_PARENTHESIS, IN_ARITHMETIC
from dagrun.language.scripts.shell.redirections import Redirections

_CASE_END: Final = re.compile(r";;&|;;|;&|;\|")
_RESERVED: Final = re.compile(r"(?:\[\[|[!{}]|[a-z]+)(?=[ \t\n;&|()<>]|\Z)")
_RESERVED_WORDS: Final = name_set(
    "! { } [[ case coproc do done elif else esac fi for function if in repeat select then time until while"
)
_CLOSERS: Final = frozenset({"then", "do", "done", "fi", "elif", "else", "esac", "}"})
_SIGN: Final = re.compile(r"&&|\|\||[()<>|&]")
_PIPE: Final = re.compile(r"\|&|\|(?!\|)")
_CONDITION_END: Final = re.compile(r"\]\](?=[\s;&|()<>]|$)")
_NOT_FOLLOWED: Final = "dagrun cannot follow the script up to here"


class Grammar(Redirections):
    """Reads a whole script."""

    def run(self) -> list[Context]:
        """The context of every placeholder, in order."""
        try:
            self._whole()
        except (ScanError, RecursionError) as error:
            why = f"{_NOT_FOLLOWED} ({error})" if isinstance(error, ScanError) else _NOT_FOLLOWED
            self.placeholders.refuse(self.settled, len(self.text), why)
        for word, why in self.variables.refused():
            self.refuse(word, why)
        return self.placeholders.contexts(_NOT_FOLLOWED)

    def statements(self, stops: frozenset[str] = frozenset()) -> None:
        while self._at_statement(stops):
            self._statement()

    def _whole(self) -> None:
        while self._at_statement(frozenset()):
            self._statement()
            self.settled = self.at
        if not self.ended:
            raise ScanError(f"'{self.text[self.at]}' on line {self.line(self.at)} closes nothing")
        if self.pending:
            raise ScanError(f"the heredoc {self.pending[0].name} has no end")

    def _at_statement(self, stops: frozenset[str]) -> bool:
        self.gaps()
        if self.ended or self.sees(")") or self.match(_CASE_END):
            return False
        return self._reserved() not in stops

    def _statement(self) -> None:
        """Read pipelines, and the sign that ends them."""
        self._pipeline()
        while self.takes("&&") or self.takes("||"):
            self.gaps()
            self._pipeline()
        if self.sees(";", "&") and not self.match(_CASE_END):
            self.at += 1
        elif not self.ended and not self.sees("\n", ")", ";"):
            raise self.unexpected(self.text[self.at])

    def _pipeline(self) -> None:
        """Read one pipeline and the gap after it."""
        command = self._command()
        self.gap()
        while pipe := self.matched(_PIPE):
            if pipe == "|&":
                self.note(self.at - 2, pipe)
            self.gaps()
            before, command = command, self._command()
            if command.executes_input:
                self._refuse_output(before)
            self.gap()

    def _refuse_output(self, command: ScriptCommand) -> None:
        """Refuse values in what a command writes: its heredocs, and the arguments of `echo` and `printf` in it."""
        why = "the next command of this pipeline executes its input as code"
        for heredoc in self.heredocs[bisect_left(self.heredocs, command.start, key=lambda each: each.at) :]:
            if heredoc.at < command.end:
                self.refuse_heredoc(heredoc, why)
        for end, start in self.printed[bisect_left(self.printed, (command.start, 0)) :]:
            if start >= command.start and end <= command.end:
                self.placeholders.refuse(start, end, why)

    def _command(self) -> ScriptCommand:
        self.descend()
        self.gap()
        while (word := self._reserved()) in ("!", "time", "coproc"):
            if word == "coproc":
                self.note(self.at, word)
            self.at += len(word)
            self.gap()
        if word in _CLOSERS:
            raise self.unexpected(word)
        command = ScriptCommand(self.at)
        if self._compound(word):
            self.redirections(command)
        else:
            self._simple(command)
        command.end = self.at
        self.depth -= 1
        return command

    # --- simple commands and functions ---

    def _simple(self, command: ScriptCommand) -> None:
        while True:
            self.redirections(command)
            if self.ended or self.text[self.at] in "\n;&|)":
                break
            if self.sees("("):
                if len(command.words) != 1:
                    raise self.unexpected("(")
                return self._define(command.words.pop())
            command.words.append(self.word())
        if self.at == command.start:
            raise ScanError(f"a command is missing on line {self.line(self.at)}")
        return self._check(command)

    def _define(self, name: Word) -> None:
        """Read the rest of a function, after its name."""
        self.refuse(name, "this is the name of a function")
        self.gap()
        if self.takes("("):
            self.gap()
            if not self.takes(")"):
                raise self.unexpected("(")
        self.gaps()
        self._command()

    def _check(self, command: ScriptCommand) -> None:
        first = next((word for word in command.words if word.raw), None)
        if (
            first
            and first.plain
            and first.value in _RESERVED_WORDS
            and self.text[first.start : first.end] != first.value
        ):
            raise ScanError(f"the word on line {self.line(first.start)} is written on two lines")
        check = check_command(command.words, self.shell, self.variables)
        note_builtin(command.words, self.note)
        command.executes_input = check.executes_input
        if check.prints_arguments:
            self.printed.append((self.at, command.start))
        if check.executes_input:
            why = "the command executes its input as code"
            check.refuse(command.inputs, why)
            for heredoc in command.heredocs:
                self.refuse_heredoc(heredoc, why)
        self._refuse_all(check)
        if check.changes_parsing:
            raise ScanError(f"{check.changes_parsing}; line {self.line(command.start)}")

    def _refuse_all(self, check: CommandCheck) -> None:
        for word, why in check.refused:
            self.refuse(word, why)

    # --- compound commands ---

    def _compound(self, word: str) -> bool:
        """Read a compound command; False if `word` begins none."""
        if self.sees("("):
            self._parentheses()
            return True
        start = self.at
        self.at += len(word)
        match word:
            case "{":
                self._block("}")
            case "if":
                self._if()
            case "while" | "until":
                self._block("do")
                self._block("done")
            case "for" | "select":
                if word == "select":
                    self.note(start, word)
                self._for()
            case "case":
                self._case()
            case "function":
                self.note(start, word)
                self.gap()
                self._define(self.word())
            case "[[":
                self.note(start, word)
                self._condition()
            case "repeat" if self.shell == "zsh":
                self.gap()
                self.refuse(self.word(), IN_ARITHMETIC)
                self._body()
            case _:
                self.at = start
                return False
        return True

    def _reserved(self) -> str:
        match = self.match(_RESERVED)
        return match[0] if match else ""

    def _takes_word(self, word: str) -> bool:
        return self._reserved() == word and self.takes(word)

    def _expect(self, word: str) -> None:
        self.gaps()
        if not self._takes_word(word):
            raise ScanError(f"'{word}' is expected on line {self.line(self.at)}")

    def _block(self, end: str) -> None:
        self.statements(frozenset({end}))
        self._expect(end)

    def _parentheses(self) -> None:
        """Read a subshell or arithmetic."""
        start = self.at
        if self.sees("((") and self.shell in ("sh", "dash"):
            raise ScanError(f"shells called sh read '((' on line {self.line(start)} differently")
        if self.takes("(("):
            self.arithmetic()
            return self.note(start, "((")
        self.at += 1
        if self.match(CONTINUED_PARENTHESIS):
            raise ScanError(f"shells read the parentheses on line {self.line(start)} differently")
        self.statements()
        if not self.takes(")"):
            raise ScanError(f"the parenthesis on line {self.line(start)} is not closed")
        return None

    def _if(self) -> None:
        follows = True
        while follows:
            self._block("then")
            self.statements(frozenset({"elif", "else", "fi"}))
            follows = self._takes_word("elif")
        if self._takes_word("else"):
            self.statements(frozenset({"fi"}))
        self._expect("fi")

    def _for(self) -> None:
        self.gap()
        if self.takes("(("):
            self.note(self.at - 2, "for ((")
            self.arithmetic()
            return self._body()
        name = self.word()
        self.refuse(name, "this is the name of a variable")
        check = CommandCheck()
        self.gaps()
        if self._takes_word("in"):
            self.gap()
            while not self.ended and not self.sees(";", "\n"):
                assign(name.known, self.word(), self.shell, check, self.variables)
                self.gap()
        self._refuse_all(check)
        return self._body()

    def _body(self) -> None:
        """Read the commands that a loop repeats."""
        self.gap()
        self.takes(";")
        self.gaps()
        if self._takes_word("{"):
            return self._block("}")
        self._expect("do")
        return self._block("done")

    def _case(self) -> None:
        self.gap()
        self.word()
        self._expect("in")
        self.gaps()
        while not self._takes_word("esac"):
            self.takes("(")
            self._patterns()
            self.statements(frozenset({"esac"}))
            end = self.matched(_CASE_END)
            if end not in (";;", ""):
                self.note(self.at - len(end), end)
            if not end and self._reserved() != "esac":
                raise ScanError(f"the case before line {self.line(self.at)} is not closed")
            self.gaps()

    def _patterns(self) -> None:
        while not self.takes(")"):
            self.gaps()
            if not self.takes("|") and not self.sees(")"):
                self.word()

    def _condition(self) -> None:
        words: list[Word] = []
        self.gaps(comments=False)
        while not self.matched(_CONDITION_END):
            start = self.at
            if self.ended or self.sees(";", "#"):
                raise ScanError(f"'[[' before line {self.line(start)} is not closed")
            if sign := self.matched(_SIGN):
                words.append(Word(start, end=self.at, lead=sign, known=sign))
            else:
                words.append(self.word())
            self.gaps(comments=False)
        self._refuse_all(check_condition(words))
