"""Keys that all dialects have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dagrun.documents.dialects.declarations import DeclarationModel
from dagrun.documents.dialects.shared_models import (
    BodyModel,
    HealthCheckModel,
    MatrixModel,
    RetryModel,
    ServiceModel,
    ToleratedModel,
)


def test_a_retry_has_defaults() -> None:
    retry = RetryModel.model_validate({})
    assert (retry.max_attempts, retry.initial, retry.factor, retry.max) == (None, None, 2.0, 60.0)


def test_a_health_check_takes_durations() -> None:
    check = HealthCheckModel.model_validate({"test": ["pg_isready"], "interval": "10s"})
    assert (check.interval, check.timeout, check.retries) == (10.0, 5.0, 5)


def test_other_keys_of_a_matrix_are_axes() -> None:
    matrix = MatrixModel.model_validate({"os": ["a", "b"], "exclude": [{"os": "a"}]})
    assert matrix.__pydantic_extra__ == {"os": ["a", "b"]}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (RetryModel, {"max_attempts": 0}),
        (RetryModel, {"jitter": 2.0}),
        (MatrixModel, {"os": []}),
        (MatrixModel, {"1": ["a"]}),
        (ServiceModel, {"image": ""}),
        (ServiceModel, {"image": "x", "ports": [0]}),
        (ToleratedModel, {"exit_codes": [256]}),
        (DeclarationModel, {"type": "date"}),
        (BodyModel, {"for_each": "a, b"}),
        (BodyModel, {"commands": []}),
    ],
)
def test_a_value_outside_its_range_is_refused(model: Any, value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(value)


def test_a_for_each_is_a_list_or_one_expression() -> None:
    assert BodyModel.model_validate({"for_each": " ${{ params.x }} "}).for_each == " ${{ params.x }} "
    assert BodyModel.model_validate({"for_each": [1, "a"]}).for_each == [1, "a"]
