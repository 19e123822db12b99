"""The grammar: statements, pipelines, commands that hold others, and simple ones, which the rules judge."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from dagrun.language.scripts.parts import Command, Word
from dagrun.language.scripts.placeholders import Place
from dagrun.language.scripts.rules import Verdict, judge, judge_condition
from dagrun.language.scripts.rules.assignments import assign
from dagrun.language.scripts.rules.bashisms import note_builtin
from dagrun.language.scripts.rules.verdict import names
from dagrun.language.scripts.shell.cursor import Lost
from dagrun.language.scripts.shell.pieces import CONTINUED_PARENTHESIS, IN_ARITHMETIC
from dagrun.language.scripts.shell.redirections import Redirections

_CASE_END: Final = re.compile(r";;&|;;|;&|;\|")
_RESERVED: Final = re.compile(r"(?:\[\[|[!{}]|[a-z]+)(?=[ \t\n;&|()<>]|\Z)")
_RESERVED_WORDS: Final = names(
    "! { } [[ case coproc do done elif else esac fi for function if in repeat select then time until while"
)
_CLOSERS: Final = frozenset({"then", "do", "done", "fi", "elif", "else", "esac", "}"})
_SIGN: Final = re.compile(r"&&|\|\||[()<>|&]")
_PIPE: Final = re.compile(r"\|&|\|(?!\|)")
_CONDITION_END: Final = re.compile(r"\]\](?=[\s;&|()<>]|$)")
_NOT_FOLLOWED: Final = "the script cannot be followed to here"


class Grammar(Redirections):
    """Reads a whole script."""

    def run(self) -> list[Place]:
        """The place of every hole, in order."""
        try:
            self._whole()
        except (Lost, RecursionError) as lost:
            why = f"{_NOT_FOLLOWED} ({lost})" if isinstance(lost, Lost) else _NOT_FOLLOWED
            self.holes.refuse(self.settled, len(self.text), why)
        for word, why in self.variables.refused():
            self.refuse(word, why)
        return self.holes.places(_NOT_FOLLOWED)

    def statements(self, stops: frozenset[str] = frozenset()) -> None:
        while self._at_statement(stops):
            self._statement()

    def _whole(self) -> None:
        while self._at_statement(frozenset()):
            self._statement()
            self.settled = self.at
        if not self.ended:
            raise Lost(f"'{self.text[self.at]}' on line {self.line(self.at)} closes nothing")
        if self.pending:
            raise Lost(f"the heredoc '{self.pending[0].delimiter}' has no end")

    def _at_statement(self, stops: frozenset[str]) -> bool:
        self.gaps()
        if self.ended or self.sees(")") or self.match(_CASE_END):
            return False
        return self._reserved() not in stops

    def _statement(self) -> None:
        """Pipelines, and the sign that ends them."""
        self._pipeline()
        while self.takes("&&") or self.takes("||"):
            self.gaps()
            self._pipeline()
        if self.sees(";", "&") and not self.match(_CASE_END):
            self.at += 1
        elif not self.ended and not self.sees("\n", ")", ";"):
            raise self.unexpected(self.text[self.at])

    def _pipeline(self) -> None:
        """One pipeline and the gap after it."""
        command = self._command()
        self.gap()
        while pipe := self.matched(_PIPE):
            if pipe == "|&":
                self.note(self.at - 2, pipe)
            self.gaps()
            before, command = command, self._command()
            if command.runs_input:
                self._refuse_output(before)
            self.gap()

    def _refuse_output(self, command: Command) -> None:
        """What a command writes is run: its heredocs, and what `echo` and `printf` in it are given."""
        why = "the next command of this pipeline runs what it reads as code"
        for heredoc in self.heredocs[bisect_left(self.heredocs, command.start, key=lambda each: each.at) :]:
            if heredoc.at < command.end:
                self.refuse_heredoc(heredoc, why)
        for end, start in self.printed[bisect_left(self.printed, (command.start, 0)) :]:
            if start >= command.start and end <= command.end:
                self.holes.refuse(start, end, why)

    def _command(self) -> Command:
        self.descend()
        self.gap()
        while (word := self._reserved()) in ("!", "time", "coproc"):
            if word == "coproc":
                self.note(self.at, word)
            self.at += len(word)
            self.gap()
        if word in _CLOSERS:
            raise self.unexpected(word)
        command = Command(self.at)
        if self._compound(word):
            self.redirections(command)
        else:
            self._simple(command)
        command.end = self.at
        self.depth -= 1
        return command

    # --- simple commands and functions ---

    def _simple(self, command: Command) -> None:
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
            raise Lost(f"a command is missing on line {self.line(self.at)}")
        return self._judge(command)

    def _define(self, name: Word) -> None:
        """The rest of a function, after its name."""
        self.refuse(name, "this is the name of a function")
        self.gap()
        if self.takes("("):
            self.gap()
            if not self.takes(")"):
                raise self.unexpected("(")
        self.gaps()
        self._command()

    def _judge(self, command: Command) -> None:
        first = next((word for word in command.words if word.raw), None)
        if (
            first
            and first.plain
            and first.value in _RESERVED_WORDS
            and self.text[first.start : first.end] != first.value
        ):
            raise Lost(f"the word on line {self.line(first.start)} is broken over two lines")
        verdict = judge(command.words, self.shell, self.variables)
        note_builtin(command.words, self.note)
        command.runs_input = verdict.runs_input
        if verdict.hands_on:
            self.printed.append((self.at, command.start))
        if verdict.runs_input:
            why = "the command runs what it reads as code"
            verdict.refuse(command.inputs, why)
            for heredoc in command.heredocs:
                self.refuse_heredoc(heredoc, why)
        self._heed(verdict)
        if verdict.rereads:
            raise Lost(f"{verdict.rereads}; line {self.line(command.start)}")

    def _heed(self, verdict: Verdict) -> None:
        for word, why in verdict.refused:
            self.refuse(word, why)

    # --- compound commands ---

    def _compound(self, word: str) -> bool:
        """A compound command; False if `word` begins none."""
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
            raise Lost(f"'{word}' is expected on line {self.line(self.at)}")

    def _block(self, end: str) -> None:
        self.statements(frozenset({end}))
        self._expect(end)

    def _parentheses(self) -> None:
        """A subshell or arithmetic."""
        start = self.at
        if self.sees("((") and self.shell in ("sh", "dash"):
            raise Lost(f"'((' on line {self.line(start)} is not read alike by every sh")
        if self.takes("(("):
            self.arithmetic()
            return self.note(start, "((")
        self.at += 1
        if self.match(CONTINUED_PARENTHESIS):
            raise Lost(f"the parentheses on line {self.line(start)} are not read alike by every shell")
        self.statements()
        if not self.takes(")"):
            raise Lost(f"the parenthesis on line {self.line(start)} is not closed")
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
        verdict = Verdict()
        self.gaps()
        if self._takes_word("in"):
            self.gap()
            while not self.ended and not self.sees(";", "\n"):
                assign(name.known, self.word(), self.shell, verdict, self.variables)
                self.gap()
        self._heed(verdict)
        return self._body()

    def _body(self) -> None:
        """What a loop repeats."""
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
                raise Lost(f"the case before line {self.line(self.at)} is not closed")
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
                raise Lost(f"'[[' before line {self.line(start)} is not closed")
            if sign := self.matched(_SIGN):
                words.append(Word(start, end=self.at, lead=sign, known=sign))
            else:
                words.append(self.word())
            self.gaps(comments=False)
        self._heed(judge_condition(words))
