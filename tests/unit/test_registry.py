"""Registered workflows: the decorator, where functions are found, what their signatures say."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from dagrun import registry
from dagrun.core.work import TaskContext
from dagrun.registry import Origin, Parameter, describe, hints, load, origins, pack, unpack, workflow

HERE = Origin("module", "here")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins with an empty registry and leaves no module behind."""
    monkeypatch.setattr(registry, "registered_functions", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def module(path: Path, text: str) -> Origin:
    path.write_text("from dagrun import workflow\n" + text)
    return Origin("file", str(path))


ONE = "@workflow('one')\ndef one(params: dict): ...\n"


def parameters(function: Callable[..., Any]) -> list[tuple[str, str, str | None, bool]]:
    found = describe("f", function, HERE).parameters
    return [(each.name, each.annotation, each.default, each.required) for each in found]


# --- the decorator ---


def test_the_decorator_leaves_the_function_as_it_is() -> None:
    def double(n: int) -> int:
        return 2 * n

    assert workflow("double")(double) is double


def test_a_name_is_taken_once() -> None:
    workflow("w")(lambda: None)
    with pytest.raises(
        ValueError, match=r"workflow 'w' is registered twice: in .*test_registry.py:\d+ and in "
    ):
        workflow("w")(lambda a: None)


def test_the_same_function_may_come_twice() -> None:
    def again() -> None: ...

    assert workflow("again")(workflow("again")(again)) is again


def test_what_can_be_called_without_being_a_function_may_be_registered() -> None:
    workflow("p")(functools.partial(print, end=""))
    workflow("d")(dict)
    assert describe("p", functools.partial(plain, params=1), HERE).home == "functools.partial"


# --- where functions are found ---


def test_a_file_is_imported_and_its_functions_returned(tmp_path: Path) -> None:
    assert list(load(module(tmp_path / "flows.py", ONE))) == ["one"]


def test_a_file_that_is_imported_already_still_owns_its_functions(tmp_path: Path) -> None:
    origin = module(tmp_path / "my-flows.v2.py", ONE)
    assert load(origin) == load(origin)


def test_a_module_is_found_on_the_path(tmp_path: Path) -> None:
    module(tmp_path / "flows_on_the_path.py", ONE)
    sys.path.insert(0, str(tmp_path))
    assert list(load(Origin("module", "flows_on_the_path"))) == ["one"]


def test_a_file_may_import_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "a_neighbour.py").write_text("WORD = 'hello'")
    origin = module(tmp_path / "flows.py", "from a_neighbour import WORD\n@workflow(WORD)\ndef f(): ...\n")
    assert list(load(origin)) == ["hello"]


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = load(module(tmp_path / "a" / "flows.py", ONE))
    second = load(module(tmp_path / "b" / "flows.py", ONE.replace("one", "two")))
    assert (list(first), list(second)) == (["one"], ["two"])


def test_two_files_with_one_workflow_name_are_reported(tmp_path: Path) -> None:
    load(module(tmp_path / "a.py", ONE))
    with pytest.raises(ValueError, match=r"registered twice: in .*a.py:2 and in .*b.py:2"):
        load(module(tmp_path / "b.py", ONE))


def test_a_file_that_fails_leaves_no_half_module(tmp_path: Path) -> None:
    origin = module(tmp_path / "flows.py", "import nothing_of_that_name")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
            load(origin)


def test_a_missing_file_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file: .*gone.py"):
        load(Origin("file", str(tmp_path / "gone.py")))


def test_listed_places_are_files_or_modules_each_once(tmp_path: Path) -> None:
    found = [
        (each.kind, each.target) for each in origins(["m.n", "f.py", "sub/g", "m.n"], tmp_path) if each.listed
    ]
    assert found == [("module", "m.n"), ("file", str(tmp_path / "f.py")), ("file", str(tmp_path / "sub/g"))]


def test_the_shipped_workflows_come_first_from_the_entry_points(tmp_path: Path) -> None:
    found = origins(["m"], tmp_path)
    assert [each.kind for each in found] == ["entry_point"] * (len(found) - 1) + ["module"]
    assert {"inbox_drive_sweep", "meeting_transcript_brief"} <= {
        each.target.partition(":")[2] for each in found
    }


# --- what a signature says ---


def test_a_signature_is_shown_as_text() -> None:
    def f(a: int, b: str = "x", *, c: list[int] | None = None, d=1) -> None: ...  # type: ignore[no-untyped-def]

    assert parameters(f) == [
        ("a", "int", None, True),
        ("b", "str", "'x'", False),
        ("c", "list[int] | None", "None", False),
        ("d", "", "1", False),
    ]


def test_annotations_that_are_values_or_texts_look_the_same() -> None:
    def f(a: Any, b: Any) -> None: ...

    f.__annotations__ = {"a": int, "b": "Literal['x', \"y\"]"}
    assert [annotation for _, annotation, _, _ in parameters(f)] == ["int", "Literal['x', \"y\"]"]
    f.__annotations__ = {"a": Path, "b": "Path"}
    assert {annotation for _, annotation, _, _ in parameters(f)} == {"Path"}


def test_the_doc_is_the_functions_own() -> None:
    def f() -> None:
        """Sweep the inbox.

        Twice.
        """

    assert describe("f", f, HERE).doc == "Sweep the inbox.\n\nTwice."


def test_a_context_is_no_parameter() -> None:
    def f(ctx: TaskContext, a: int) -> None: ...

    assert [name for name, *_ in parameters(f)] == ["a"]


def test_a_wrapped_function_is_described_as_the_one_inside() -> None:
    def inside(a: int) -> None: ...

    @functools.wraps(inside)
    def outside(*args: Any, **kwargs: Any) -> None: ...

    assert parameters(outside) == [("a", "int", None, True)]


@pytest.mark.parametrize("rest", [True, False])
def test_extra_takes_the_rest(rest: bool) -> None:
    def with_rest(a: int, **extra: Any) -> None: ...
    def without(a: int) -> None: ...

    assert describe("f", with_rest if rest else without, HERE).takes_rest is rest


def plain(params): ...  # type: ignore[no-untyped-def]
def as_dict(params: dict[str, Any]) -> None: ...
def as_mapping(params: Mapping[str, Any]) -> None: ...
def as_mutable(params: MutableMapping[str, Any]) -> None: ...
def as_anything(params: Any) -> None: ...
def with_context(params: dict[str, Any], ctx: TaskContext) -> None: ...


@pytest.mark.parametrize("function", [plain, as_dict, as_mapping, as_mutable, as_anything, with_context])
def test_one_mapping_called_params_receives_everything(function: Callable[..., Any]) -> None:
    reported = describe("f", function, HERE)
    assert (reported.parameters, reported.takes_rest) == ((), True)


def as_text(params: str) -> None: ...
def another_name(options: dict[str, Any]) -> None: ...
def and_more(params: dict[str, Any], day: str) -> None: ...
def only_extra(**params: Any) -> None: ...


@pytest.mark.parametrize("function", [as_text, another_name, and_more])
def test_anything_else_goes_by_name(function: Callable[..., Any]) -> None:
    assert describe("f", function, HERE).parameters != ()


def test_extra_alone_may_be_called_params() -> None:
    reported = describe("f", only_extra, HERE)
    assert (reported.parameters, reported.takes_rest) == ((), True)


def test_annotations_written_as_text_are_resolved() -> None:
    def f(a: int, ctx: TaskContext) -> None: ...

    assert hints(f) == {"a": int, "ctx": TaskContext, "return": type(None)}


def test_a_name_for_type_checkers_only_costs_the_others_nothing() -> None:
    def f(a: int, b: OnlyForTypeCheckers, c: list[str]) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert hints(f) == {"a": int, "c": list[str], "return": type(None)}


@pytest.mark.parametrize("written", ["TaskContext", "dagrun.TaskContext", "work.TaskContext"])
def test_a_context_that_only_type_checkers_import_is_known_by_its_name(written: str) -> None:
    def f(ctx: Any) -> None: ...

    f.__annotations__ = {"ctx": written}
    assert hints(f)["ctx"] is TaskContext


# --- on the way from the worker ---


def test_a_workflow_survives_its_way_from_the_worker() -> None:
    def f(a: int, b: str = "x") -> None: ...

    reported = describe("f", f, HERE)
    assert unpack(pack(reported)) == reported


def test_the_shape_for_scripts() -> None:
    reported = registry.Workflow("w", "Does.", (Parameter("a", "int", None, True),), False, HERE, "w.py:1")
    assert reported.to_json() == {
        "name": "w",
        "doc": "Does.",
        "parameters": ({"name": "a", "annotation": "int", "default": None, "required": True},),
        "takes_rest": False,
        "origin": "here",
        "home": "w.py:1",
    }


# --- the project's modules and all others ---


def test_a_module_of_the_project_replaces_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    for name in ("colorsys", "helper_of_mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text("VALUE = 'mine'\n")
    (tmp_path / "flow.py").write_text("import colorsys, helper_of_mine\n")
    registry.load(Origin("file", str(tmp_path / "flow.py")))
    assert sys.modules["helper_of_mine"].__file__ == str(tmp_path / "helper_of_mine.py")
    assert sys.modules["colorsys"].__file__ != str(tmp_path / "colorsys.py")


def test_a_listed_module_that_has_the_name_of_another_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr(registry, "project_directories", [])
    (tmp_path / "colorsys.py").write_text("")
    registry.add_to_path(str(tmp_path))
    with pytest.raises(
        ImportError, match=r"'colorsys' is a module of Python or of a library \(.*\), not .*/colorsys.py"
    ):
        registry.load(Origin("module", "colorsys"))
    registry.load(Origin("module", "json"))  # one that the project has no file of
    registry.load(Origin("file", str(tmp_path / "colorsys.py")))
