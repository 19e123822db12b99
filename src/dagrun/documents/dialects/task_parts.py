"""Parts of a task: from pydantic models to values of the core."""

from __future__ import annotations

import posixpath
import re

from dagrun.core.model import HealthCheck, Retry, Sla, is_name
from dagrun.documents.dialects import shared_models


def retry(retries: int | None, options: shared_models.RetryModel) -> Retry:
    """A retry with more options than the number of retries."""
    return Retry(
        retries=(options.max_attempts or 1) - 1 if retries is None else retries,
        initial=options.initial, factor=options.factor, max=options.max, jitter=options.jitter,
        on_exit_codes=tuple(options.on_exit_codes), on_errors=tuple(options.on_errors),
    )  # fmt: skip


def tolerated(model: bool | shared_models.ToleratedModel) -> tuple[int, ...]:
    """The exit codes of tolerated failures; empty if there is no restriction."""
    return () if isinstance(model, bool) else tuple(dict.fromkeys(model.exit_codes))


def sla(model: shared_models.SlaModel | None) -> Sla | None:
    """When a run is late; None if it never is."""
    if model is None or (model.finish_within is None and model.start_by is None):
        return None
    return Sla(finish_within=model.finish_within, start_by=model.start_by)


def health_check(model: shared_models.HealthCheckModel | None) -> HealthCheck | None:
    """A health check in the form of container engines: `CMD` and words, or `CMD-SHELL` and a text."""
    if model is None:
        return None
    test = ("CMD-SHELL", model.test) if isinstance(model.test, str) else tuple(model.test)
    if test[0] not in ("CMD", "CMD-SHELL"):
        test = ("CMD", *test)
    return HealthCheck(test=test, interval=model.interval, timeout=model.timeout, retries=model.retries)


_PLACEHOLDER = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def base_name(image: str) -> str | None:
    """The name of a service with this image: `ghcr.io/org/postgres:15` is `postgres`. None if there is no valid name."""
    name = re.split("[:@]", _PLACEHOLDER.sub("\0", image).rpartition("/")[2])[0]
    return name if is_name(name) else None


def artifact_name(path: str) -> str | None:
    """The name of an artifact: its path, or the last part of an absolute one. None if it is outside the working directory."""
    name = posixpath.normpath(path)
    if name.startswith("/"):
        return posixpath.basename(name) or None
    return None if name.split("/")[0] == ".." else name
