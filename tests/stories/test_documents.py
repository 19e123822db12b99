"""What the pages and the examples say is so: documents validate, code compiles, commands exist, tables are true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from jsonschema import Draft7Validator

from dagrun.cli.app import app_for
from dagrun.documents.dialects.detect import to_dag
from dagrun.documents.dialects.schema import dialects, schema
from dagrun.documents.validation.check import check
from dagrun.documents.yaml import Source, render
from dagrun.scheduling.schedule_files import ScheduleFiles
from tests.stories.pages import COOKBOOK, PAGES, ROOT, Block, alike, blocks, fresh, rows, words_of

DOCUMENTS = [
    path
    for folder in ("configs/dags", "examples", "src/dagrun/project_template/project/configs/dags")
    for path in sorted((ROOT / folder).rglob("*.y*ml"))
]
SNIPPETS = [block for block in blocks("yaml") if re.search(r"^(tasks|spec|jobs):", block.text, re.MULTILINE)]
DIALECTS = ROOT / "docs" / "dialects"
VALIDATORS = {key: Draft7Validator(schema(each.name)) for each in dialects() for key in each.keys}


def problems(text: str, name: str) -> list[str]:
    """Everything that dagrun, and an editor with its schema, have to say about a document."""
    source = Source.inline(text, name)
    data = source.load()
    written = to_dag(data, source, "unnamed")
    reported = [render(finding, source) for finding in (*written.findings, *check(written, None))]
    (validator,) = (VALIDATORS[key] for key in data if key in VALIDATORS)
    return reported + [f"{name}: {error.message}" for error in validator.iter_errors(data)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_document_is_valid(path: Path) -> None:
    assert problems(path.read_text(), path.name) == []


def test_every_schedule_is_valid() -> None:
    loaded = ScheduleFiles(ROOT / "configs/schedules").load()
    assert [schedule.id for schedule in loaded.schedules] == ["weekly_ops_chain"]
    assert loaded.findings == ()
    assert all((ROOT / schedule.dag).is_file() for schedule in loaded.schedules)


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_every_document_on_a_page_is_valid(block: Block) -> None:
    assert problems(block.text, str(block)) == []


@pytest.mark.parametrize("block", list(blocks("python")), ids=str)
def test_every_piece_of_python_on_a_page_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_code_writes_into_a_page_is_up_to_date(page: Path) -> None:
    assert fresh(page) == page.read_text(), "run: .venv/bin/python -m tests.stories.pages"


def test_the_cookbook_shows_every_example() -> None:
    page = (ROOT / "docs" / "cookbook.md").read_text()
    assert [
        path.name for path in sorted(COOKBOOK.glob("*.yaml")) if f"file {path.name} -->" not in page
    ] == []


@pytest.mark.parametrize(("column", "dialect"), [(1, "native"), (2, "steps"), (3, "jobs")])
def test_every_word_of_a_dialect_has_its_row_among_the_others(column: int, dialect: str) -> None:
    page = DIALECTS / "README.md"
    cells = [row[column] for row in rows(page) if len(row) == 5]
    reported = {
        word for cell in cells for code in re.findall(r"`([^`]+)`", cell) for word in re.findall(r"\w+", code)
    }
    same = set(re.findall(r"`(\w+)`", alike()))
    assert {key for words in words_of(dialect) for key in words} - reported - same == set()


def test_every_dialect_has_its_page() -> None:
    pages = {page.stem for page in DIALECTS.glob("*.md")}
    assert {each.name for each in dialects()} == pages - {"README"}
    reported = {
        code
        for row in rows(DIALECTS / "README.md")
        if len(row) == 6
        for code in re.findall("`(.+?)`", row[1])
    }
    assert {f"{key}:" for each in dialects() for key in each.keys} == reported


def test_the_overview_shows_what_is_said_of_a_word_from_another_dialect() -> None:
    document = (
        "name: nightly\ntasks:\n  - {id: fetch, run: x}\n  - id: load\n    dependsOn: [fetch]\n    run: x\n"
    )
    (reported,) = problems(document, "nightly.yaml")[:1]
    assert reported in (DIALECTS / "README.md").read_text()


_LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]*)#?(?P<heading>[^)]*)\)")


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(ROOT.glob("C*.md"))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    for link in _LINK.finditer(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), link[0]
        if link["heading"]:
            assert link["heading"] in anchors(target), link[0]


def anchors(page: Path) -> set[str]:
    """What a link may name on a page: its headings as the usual viewers write them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- commands -----------------------------------------------------------------------------------------------------


def commands() -> Mapping[str, set[str]]:
    """Every command with its flags."""
    group = typer.main.get_command(app_for(["--"]))
    return {
        name: {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        | {"--help"}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def test_the_list_of_commands_cuts_none_short() -> None:
    group = typer.main.get_command(app_for(["--"]))
    text = group.get_help(typer.Context(group, info_name="dagrun", terminal_width=80))
    assert [line for line in text.splitlines() if line.startswith("  ") and line.endswith("...")] == []


_INLINE = re.compile(r"`(?:scripts/)?dagrun\s([^`]+)`")
_IN_A_BLOCK = re.compile(r"^(?:# )?(?:\$ )?(?:[A-Z_]+=\S+ )?(?:scripts/)?dagrun ([^\n]+)$", re.MULTILINE)


def named(page: Path) -> list[str]:
    """Every `dagrun ...` of a page, in its text and in its blocks."""
    found = _INLINE.findall(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    for language in ("sh", "console", "yaml"):
        for block in blocks(language):
            found += _IN_A_BLOCK.findall(block.text) if block.page == page else []
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists(page: Path) -> None:
    known = commands()
    for line in named(page):
        words = line.split("#")[0].split()
        if words[0].startswith("-"):
            continue
        assert words[0] in known, line
        for word in words[1:]:
            if word.startswith("-"):
                assert word.split("=")[0] in known[words[0]], line


def test_every_command_in_a_table_exists() -> None:
    known = commands()
    for page in PAGES:
        for cells in rows(page):
            if not cells[0].startswith("`dagrun "):
                continue
            first, *others = re.findall(r"`([^`]+)`", cells[0])
            for name in (first.split()[1], *(other.split()[0] for other in others)):
                assert name in known, cells[0]
            for flag in re.findall(r"`(-[-\w]+)", " ".join(cells[1:])):
                assert any(flag in flags for flags in known.values()), flag
