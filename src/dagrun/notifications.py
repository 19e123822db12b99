"""Sends messages about runs; imported by workers only. Addresses may be secrets: no message of this module contains one."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from dagrun.errors import DagrunError
from dagrun.kinds.notify import ADDRESSES
from dagrun.registry import workflow

TRIES: Final = 3
#: Seconds for one try.
TIMEOUT: Final = 10.0
#: Answers after which another try may help.
_TRANSIENT: Final = frozenset({408, 425, 429})


class NotSentError(DagrunError):
    """A message was not sent."""


class _Failure(Exception):
    """One try that failed."""

    def __init__(self, message: str, *, may_help: bool) -> None:
        super().__init__(message)
        #: Whether another try may help.
        self.may_help = may_help


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A message is not sent anywhere else than to its address."""

    def redirect_request(self, *_: Any) -> None:
        return None


@workflow("dagrun.notify")
def notify(run: dict[str, Any], title: str | None = None, body: str | None = None) -> dict[str, Any]:
    """Send a message about a run to all addresses in $DAGRUN_NOTIFY_URLS. Raises NotSentError that names every failure."""
    urls: list[str] = json.loads(os.environ[ADDRESSES])
    title = title or f"{run['dag_name']}: {run['status']}"
    text = body or _described(run)
    problems = []
    for url in urls:
        try:
            _send(url, run, title, text)
        except NotSentError as error:
            problems.append(f"{shown(url)}: {error}")
    if problems:
        raise NotSentError("; ".join(problems))
    return {"sent": len(urls)}


def _described(run: Mapping[str, Any]) -> str:
    """What happened, in a few lines."""
    what = f"Run {run['run_id']} of {run['dag_name']}" if run["run_id"] else f"Schedule {run['dag_name']}"
    lines = [f"{what}: {run['status']} ({run['reason']})"]
    for task in run["failed"]:
        lines.append(f"{task['task_id']}: {task['error']}")
        lines += [f"    {line}" for line in (task["log_tail"] or "").splitlines()[-5:]]
    if run["failed_count"] > len(run["failed"]):
        lines.append(f"and {run['failed_count'] - len(run['failed'])} more failed tasks")
    return "\n".join(lines)


def shown(url: str) -> str:
    """An address without what may be secret: its scheme, and its host if it is one of the web."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "an address that is not valid"
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://" if parts.scheme else "an address without a scheme"


def _send(url: str, run: Mapping[str, Any], title: str, text: str) -> None:
    scheme = url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        _post(url, {"title": title, "text": f"{title}\n{text}", "body": text, **run})
    elif "://" not in url:
        raise NotSentError("write it with a scheme, such as https:// or mailto://")
    else:
        _by_apprise(url, run, title, text)


def _post(url: str, message: Mapping[str, Any]) -> None:
    """POST the message as JSON, with up to three tries. Raises NotSentError."""
    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=0.5, max=5),
        retry=retry_if_exception(lambda error: isinstance(error, _Failure) and error.may_help),
        reraise=True,
    )
    data = json.dumps(message).encode()
    try:
        tries(_post_once, url, data)
    except _Failure as error:
        after = f" ({TRIES} tries)" if error.may_help else ""
        raise NotSentError(f"{error}{after}") from None


def _post_once(url: str, data: bytes) -> None:
    try:
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/json", "User-Agent": "dagrun"}, method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirects)
        with opener.open(request, timeout=TIMEOUT):
            return
    except urllib.error.HTTPError as error:
        error.close()
        again = error.code >= 500 or error.code in _TRANSIENT
        phrase = http.client.responses.get(error.code, "")
        raise _Failure(f"it answered {error.code} {phrase}".rstrip(), may_help=again) from None
    except TimeoutError:
        raise _Failure(f"no answer within {TIMEOUT:g}s", may_help=True) from None
    except urllib.error.URLError as error:
        why = f"no answer within {TIMEOUT:g}s" if isinstance(error.reason, TimeoutError) else error.reason
        raise _Failure(f"it cannot be reached: {why}", may_help=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Failure(f"it does not answer as a web server: {type(error).__name__}", may_help=True) from None
    except ValueError:
        raise _Failure("the address is not valid", may_help=False) from None


def _by_apprise(url: str, run: Mapping[str, Any], title: str, text: str) -> None:
    try:
        import apprise
    except ImportError:
        raise NotSentError(
            "addresses other than http(s) need Apprise: pip install 'dagrun[notify]'"
        ) from None
    kind = "success" if run["status"] == "success" else "failure"
    sender = apprise.Apprise()
    if not sender.add(url):
        raise NotSentError("Apprise does not know such an address")
    if not sender.notify(body=text, title=title, notify_type=kind):
        raise NotSentError("Apprise could not send the message; the log of the hook says why")


__all__: Sequence[str] = ["NotSentError", "notify", "shown"]
