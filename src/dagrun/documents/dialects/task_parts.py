"""Parts of a task, from wire models to the model's values."""

from __future__ import annotations

import posixpath
import re

from dagrun.core.model import HealthCheck, Retry, is_name
from dagrun.documents.dialects import shared_models


def retry(retries: int | None, fine: shared_models.RetryModel) -> Retry:
    """A retry of which more is said than how often."""
    return Retry(
        retries=(fine.max_attempts or 1) - 1 if retries is None else retries,
        initial=fine.initial, factor=fine.factor, max=fine.max, jitter=fine.jitter,
        on_exit_codes=tuple(fine.on_exit_codes), on_errors=tuple(fine.on_errors),
    )  # fmt: skip


def tolerated(model: bool | shared_models.ToleratedModel) -> tuple[int, ...]:
    """The exit codes with which a failure is tolerated, where not every one is."""
    return () if isinstance(model, bool) else tuple(dict.fromkeys(model.exit_codes))


def health_check(model: shared_models.HealthCheckModel | None) -> HealthCheck | None:
    """A health check whose test says how it is run: `CMD` and words, or `CMD-SHELL` and a text."""
    if model is None:
        return None
    test = ("CMD-SHELL", model.test) if isinstance(model.test, str) else tuple(model.test)
    if test[0] not in ("CMD", "CMD-SHELL"):
        test = ("CMD", *test)
    return HealthCheck(test=test, interval=model.interval, timeout=model.timeout, retries=model.retries)


_HOLE = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def base_name(image: str) -> str | None:
    """What a service is called after its image: `ghcr.io/org/postgres:15` is `postgres`. None: it cannot be told."""
    name = re.split("[:@]", _HOLE.sub("\0", image).rpartition("/")[2])[0]
    return name if is_name(name) else None


def artifact_name(path: str) -> str | None:
    """What an artifact is kept as: its path, or the last part of an absolute one. None: it leaves the working directory."""
    name = posixpath.normpath(path)
    if name.startswith("/"):
        return posixpath.basename(name) or None
    return None if name.split("/")[0] == ".." else name
