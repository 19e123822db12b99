"""Settings: where each value comes from, and all that is wrong with them at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dagrun.errors import RefusedError, UsageError
from dagrun.settings import Settings, load
from tests.unit.harness import env


def written(directory: Path, text: str, name: str = "dagrun.toml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    return directory


def refusal(start: Path, environment: dict[str, str] | None = None, **flags: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load(environment or {}, start, flags)
    return caught.value.message


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings == Settings(root=tmp_path, sources=settings.sources)
    assert set(settings.sources.values()) == {"default"}


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    written(tmp_path, "runs_dir = 'file'\ndags_dir = 'file'\nevents_path = 'file'")
    environment = env(DAGRUN_RUNS_DIR="variable", DAGRUN_DAGS_DIR="variable")
    settings = load(environment, tmp_path, {"runs_dir": "flag"})
    assert (settings.runs_dir, settings.dags_dir, settings.events_path) == ("flag", "variable", "file")


def test_each_value_knows_where_it_came_from(tmp_path: Path) -> None:
    written(tmp_path, "events_path = 'e'")
    settings = load(env(DAGRUN_DAGS_DIR="d"), tmp_path, {"runs_dir": "r"})
    assert settings.sources["runs_dir"] == "flag"
    assert settings.sources["dags_dir"] == "DAGRUN_DAGS_DIR"
    assert settings.sources["events_path"] == str(tmp_path / "dagrun.toml")
    assert settings.sources["state_path"] == "default"


def test_an_empty_variable_is_ignored(tmp_path: Path) -> None:
    assert load(env(DAGRUN_RUNS_DIR=""), tmp_path).sources["runs_dir"] == "default"


def test_every_value_has_a_source(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    no_settings = {"root", "sources", "hooks", "hooks_path"}
    assert {*no_settings, *settings.sources} == set(Settings.__dataclass_fields__)


def test_the_project_root_is_the_nearest_directory_upward_with_dagrun_toml(tmp_path: Path) -> None:
    written(tmp_path, "runs_dir = 'outer'")
    inner = written(tmp_path / "inner", "runs_dir = 'inner'")
    deep = inner / "a" / "b"
    deep.mkdir(parents=True)
    settings = load({}, deep)
    assert (settings.root, settings.runs_dir) == (inner, "inner")


def test_a_pyproject_marks_the_root_only_with_tool_dagrun(tmp_path: Path) -> None:
    written(tmp_path, "[tool.dagrun]\nretry_base_ms = 5", "pyproject.toml")
    inner = written(tmp_path / "inner", "[tool.other]\nx = 1", "pyproject.toml")
    settings = load({}, inner)
    assert (settings.root, settings.retry_base_ms) == (tmp_path, 5.0)


def test_an_empty_tool_dagrun_is_enough(tmp_path: Path) -> None:
    written(tmp_path, "[tool.dagrun]\n", "pyproject.toml")
    assert load({}, written(tmp_path / "a", "", "x")).root == tmp_path


def test_in_one_directory_dagrun_toml_comes_first(tmp_path: Path) -> None:
    written(tmp_path, "[tool.dagrun]\nruns_dir = 'py'", "pyproject.toml")
    written(tmp_path, "runs_dir = 'own'")
    assert load({}, tmp_path).runs_dir == "own"


def test_without_a_project_the_root_is_the_current_directory(tmp_path: Path) -> None:
    assert load({}, tmp_path).root == tmp_path


def test_relative_paths_start_at_the_root(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert settings.path("logs/x") == tmp_path / "logs/x"
    assert settings.path("/else/x") == Path("/else/x")


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert load({}, tmp_path).path("~/runs") == Path("/home/me/runs")


def test_a_tilde_that_names_nobody_is_taken_as_it_is(tmp_path: Path) -> None:
    assert load({}, tmp_path).path("~nobody-of-that-name/x") == tmp_path / "~nobody-of-that-name/x"


@pytest.mark.parametrize("listed", ["['a', 'b.py']", "'a, b.py,'"])
def test_a_list_is_a_list_or_text_with_commas(tmp_path: Path, listed: str) -> None:
    written(tmp_path, f"workflows = {listed}")
    assert load({}, tmp_path).workflows == ("a", "b.py")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    written(tmp_path, "runs_dri = 'x'\nretry_base_ms = 'soon'\nworkflows = [1]")
    where = tmp_path / "dagrun.toml"
    assert refusal(tmp_path, {"DAGRUN_MAX_OUTPUT_BYTES": "1.5"}) == "\n".join(
        (
            f"{where}: unknown setting 'runs_dri' did you mean 'runs_dir'?",
            f"{where}: 'workflows' must be a list of texts",
            f"{where}: 'retry_base_ms' must be a number",
            "DAGRUN_MAX_OUTPUT_BYTES: 'max_output_bytes' must be a whole number",
        )
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("retry_base_ms = -1", "'retry_base_ms' must be a number of at least 0"),
        ("retry_base_ms = true", "'retry_base_ms' must be a number"),
        ("retry_base_ms = nan", "'retry_base_ms' must be a number of at least 0"),
        ("retry_base_ms = inf", "'retry_base_ms' must be a number of at least 0"),
        ("max_output_bytes = 1.5", "'max_output_bytes' must be a whole number"),
        ("max_output_bytes = inf", "'max_output_bytes' must be a whole number"),
        ("max_output_bytes = 0", "'max_output_bytes' must be a whole number of at least 1"),
        ("runs_dir = 5", "'runs_dir' must be a text that is not empty"),
        ("runs_dir = ''", "'runs_dir' must be a text that is not empty"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(tmp_path: Path, setting: str, problem: str) -> None:
    written(tmp_path, setting)
    assert refusal(tmp_path) == f"{tmp_path / 'dagrun.toml'}: {problem}"


def test_a_whole_number_of_any_size_is_one(tmp_path: Path) -> None:
    assert load(env(DAGRUN_MAX_OUTPUT_BYTES="9" * 400), tmp_path).max_output_bytes == int("9" * 400)


def test_a_file_that_is_no_toml_is_refused_with_its_name(tmp_path: Path) -> None:
    written(tmp_path, "a = ")
    assert refusal(tmp_path).startswith(f"{tmp_path / 'dagrun.toml'} cannot be read: Invalid value")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dagrun.toml").write_bytes(b"\xff")
    assert "cannot be read" in refusal(tmp_path)


def test_tool_dagrun_must_be_a_table(tmp_path: Path) -> None:
    written(tmp_path, "tool.dagrun = 'yes'", "pyproject.toml")
    assert refusal(tmp_path) == f"{tmp_path / 'pyproject.toml'}: 'tool.dagrun' must be a table"


def test_a_pyproject_whose_tool_is_no_table_is_somebody_elses(tmp_path: Path) -> None:
    written(tmp_path, "tool = 1", "pyproject.toml")
    assert load({}, tmp_path).sources["runs_dir"] == "default"


class TestAProjectOfAnotherUser:
    """The code that its settings list would run as the user of dagrun, like the hooks of a git repository."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        if os.geteuid() != 0:
            pytest.skip("only root may give a file to somebody else")
        directory = written(tmp_path / "project", "workflows = ['w.py']")
        os.chown(directory / "dagrun.toml", 54321, 54321)
        (directory / "inner").mkdir()
        return directory

    def test_it_is_refused_with_what_allows_it(self, project: Path) -> None:
        with pytest.raises(RefusedError) as error:
            load({}, project / "inner")
        assert error.value.message == (
            f"{project}/dagrun.toml belongs to user 54321: the code that it lists would run as you"
        )
        assert error.value.hint == f"if you trust that project: export DAGRUN_SAFE_DIRECTORIES={project}"

    @pytest.mark.parametrize("allowed", ["{0}", "/elsewhere:{0}", "{0}/..", "*"])
    def test_it_is_allowed_by_name(self, project: Path, allowed: str) -> None:
        environment = env(DAGRUN_SAFE_DIRECTORIES=allowed.format(project))
        assert load(environment, project / "inner").workflows == ("w.py",)

    @pytest.mark.parametrize("allowed", ["/elsewhere", "{0}/inner", ":", ""])
    def test_it_is_not_by_another(self, project: Path, allowed: str) -> None:
        with pytest.raises(RefusedError):
            load(env(DAGRUN_SAFE_DIRECTORIES=allowed.format(project)), project)

    def test_a_link_of_another_user_to_a_file_of_ours_is_refused_too(self, project: Path) -> None:
        (project / "dagrun.toml").rename(project / "mine.toml")
        os.chown(project / "mine.toml", 0, 0)
        (project / "dagrun.toml").symlink_to("mine.toml")
        os.chown(project / "dagrun.toml", 54321, 54321, follow_symlinks=False)
        with pytest.raises(RefusedError):
            load({}, project)

    def test_so_is_a_table_in_pyproject_toml(self, project: Path) -> None:
        (project / "dagrun.toml").unlink()
        os.chown(written(project, "[tool.dagrun]", "pyproject.toml") / "pyproject.toml", 54321, 54321)
        with pytest.raises(RefusedError):
            load({}, project)

    @pytest.mark.parametrize("text", ["[tool.other]", "not = [toml"])
    def test_a_pyproject_toml_without_settings_of_dagrun_is_ignored(self, project: Path, text: str) -> None:
        (project / "dagrun.toml").unlink()
        os.chown(written(project, text, "pyproject.toml") / "pyproject.toml", 54321, 54321)
        assert load({}, project).root == project

    def test_the_user_who_calls_sudo_owns_it(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SUDO_UID", "54321")
        assert load({}, project).root == project

    def test_one_of_root_is_anybodys(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root has files of root")
        written(tmp_path, "")
        monkeypatch.setattr(os, "geteuid", lambda: 54321)
        assert load({}, tmp_path).root == tmp_path
