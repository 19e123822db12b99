"""Parameters, secrets and dotenv files, as a user gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dagrun.app.run_inputs import GivenParams, RunInputs
from dagrun.core.model import Dag
from dagrun.errors import UsageError
from dagrun.settings import Settings
from dagrun.testing import dag

DAG = dag("params: {region: eu, n: 1}\nsecrets: [TOKEN]\ntasks: [{id: a, run: x}]\nname: d\n")
PLAIN = dag("params: {region: eu}\ntasks: [{id: a, run: x}]\nname: d\n")


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunInputs:
    monkeypatch.setenv("TOKEN", "s3cr3t")
    return RunInputs(Settings(root=tmp_path))


def test_given_values_override_the_file_and_the_file_overrides_defaults(
    inputs: RunInputs, tmp_path: Path
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("region: us\nn: 2\n")
    given = GivenParams(params=["n=3"], params_file=file)
    assert inputs.given(DAG, given) == {"region": "us", "n": 3}
    assert inputs.resolved(DAG, {"n": 5}) == {"region": "eu", "n": 5}


def test_all_wrong_parameters_are_listed_at_once_without_secrets(inputs: RunInputs) -> None:
    with pytest.raises(UsageError) as error:
        inputs.checked(DAG, {}, GivenParams(params=["x=s3cr3t", "y=1"]))
    assert "'x'" in error.value.message
    assert "'y'" in error.value.message
    assert "s3cr3t" not in error.value.message


def test_a_broken_file_of_parameters_is_reported_without_its_line(inputs: RunInputs, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("token: s3cr3t: x\n")
    with pytest.raises(UsageError) as error:
        inputs.given(DAG, GivenParams(params_file=file))
    assert "p.yaml:1" in error.value.message
    assert "s3cr3t" not in error.value.message


def test_given_params_are_true_when_there_are_any() -> None:
    assert not GivenParams(kept={"x": 1})
    assert GivenParams(params=["x=1"])
    assert GivenParams(params_file=Path("p.yaml"))


def test_a_secret_comes_from_the_environment_before_dotenv(inputs: RunInputs, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=other-one\n")
    assert inputs.secrets(DAG) == {"TOKEN": "s3cr3t"}


def test_a_secret_comes_from_dotenv(
    inputs: RunInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN")
    (tmp_path / ".env").write_text("a line for another tool\nTOKEN=other-one\n")
    assert inputs.secrets(DAG) == {"TOKEN": "other-one"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [("", "is not set"), ("abc", "fewer than 4 characters"), ("     ", "white space only")],
)
def test_an_unusable_secret_is_refused(
    inputs: RunInputs, monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    monkeypatch.setenv("TOKEN", value)
    with pytest.raises(UsageError, match=problem):
        inputs.secrets(DAG)
    assert inputs.masker(DAG).text("abc     def") == "abc     def"


def test_without_declared_secrets_none_is_read(inputs: RunInputs) -> None:
    assert inputs.secrets(PLAIN) == {}
    assert inputs.masker(PLAIN).text("s3cr3t") == "s3cr3t"


def test_dotenv_files_are_read_by_path_and_missing_ones_refused(inputs: RunInputs, tmp_path: Path) -> None:
    (tmp_path / "x.env").write_text("A=1\n")
    assert inputs.dotenv(Dag(name="d", tasks=(), dotenv=("x.env",))) == {"x.env": {"A": "1"}}
    with pytest.raises(UsageError, match=r"none\.env"):
        inputs.dotenv(Dag(name="d", tasks=(), dotenv=("none.env",)))
