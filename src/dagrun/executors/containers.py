"""Containers on this machine: no engine runs them yet, so an attempt that needs one fails."""

from __future__ import annotations

from dagrun.core.work import AttemptResult, Container, Work


def needed(work: Work) -> bool:
    """Whether the attempt needs containers, for its body or for services."""
    return isinstance(work.body, Container) or bool(work.services)


def refusal(work: Work) -> AttemptResult:
    """The end of an attempt that needs containers."""
    images = [work.body.image] if isinstance(work.body, Container) else []
    images += [service.image for service in work.services]
    error = (
        f"no container of {', '.join(map(repr, images))}: this version of dagrun runs no containers yet; "
        "without 'image' and 'services' a task runs on this machine"
    )
    return AttemptResult(duration=0.0, error=error, error_type="NoContainerEngine")
