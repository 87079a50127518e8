"""What a refusal looks like: JSON for programs, a page for people, one sentence with the next step in both."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from auth.errors import AuthError, Reason
from auth.proof import ClockError
from auth.state.store import StoreError
from proxy.web.deps import WebDeps
from proxy.web.pages import page
from recordings.errors import LogUnavailableError

DEPS: web.AppKey[WebDeps] = web.AppKey("deps", WebDeps)
log = logging.getLogger("kwit.web")

_STATUS = {
    Reason.BAD_REQUEST: 400,
    Reason.CSR_INVALID: 400,
    Reason.CODE_INVALID: 400,
    Reason.PROOF_INVALID: 401,
    Reason.LOGIN_UNKNOWN: 401,
    Reason.LOGIN_ENDED: 401,
    Reason.LOGIN_EXPIRED: 401,
    Reason.NO_RECORDING: 404,
    Reason.NO_LOCK: 404,
    Reason.LIMIT_EXCEEDED: 429,
    Reason.CONNECTOR_UNAVAILABLE: 502,
    Reason.LOG_UNAVAILABLE: 503,
    Reason.STATE_STALE: 503,
}
"""Everything else is 403."""

NEXT = {
    Reason.LOGIN_UNKNOWN: "run `kwit login` to sign in again",
    Reason.LOGIN_ENDED: "run `kwit login` to sign in again",
    Reason.LOGIN_EXPIRED: "run `kwit login` to sign in again",
    Reason.PROOF_INVALID: "run `kwit login` to sign in again",
    Reason.LOCKED: "ask your security team to remove the lock",
    Reason.GROUPS_STALE: "run `kwit login` to sign in again, or wait until the identity provider answers",
    Reason.UNKNOWN_CLUSTER: "run `kwit clusters` for those that are open to you",
    Reason.NO_RECORDING: "`kwit recordings ls` lists those that you may open",
    Reason.NO_LOCK: "`kwit lock ls` lists those that are in force",
    Reason.NO_ROLE: "ask your platform team for a role",
    Reason.CSR_INVALID: "update kubewitness on this machine, then run `kwit login`",
}

SENTENCES = {
    Reason.LOGIN_UNKNOWN: "this login is not known here",
    Reason.LOGIN_ENDED: "this login has ended",
    Reason.LOGIN_EXPIRED: "this login is over",
    Reason.GROUPS_STALE: "the identity provider has not confirmed your groups for too long",
}


def status_of(reason: Reason) -> int:
    return _STATUS.get(reason, 403)


def as_json(error: AuthError, now: float) -> web.Response:
    """The answer of an API call that was refused."""
    if isinstance(error, ClockError):
        return web.json_response({"error": "clock", "message": error.message, "server_time": now}, status=401)
    body: dict[str, Any] = {"error": error.reason.value, "message": error.message}
    if error.reason in NEXT:
        body["next"] = NEXT[error.reason]
    return web.json_response(body, status=status_of(error.reason))


def _answer(request: web.Request, error: AuthError) -> web.Response:
    deps = request.app[DEPS]
    if request.path.startswith("/api/"):
        return as_json(error, deps.clock())
    return page(
        "error.html",
        deps,
        status=status_of(error.reason),
        title=_title(error.reason),
        message=error.message,
        reason=error.reason.value,
    )


def _title(reason: Reason) -> str:
    if reason in (Reason.CONNECTOR_UNAVAILABLE, Reason.LOG_UNAVAILABLE, Reason.STATE_STALE):
        return "Not possible right now"
    return "Not signed in"


@web.middleware
async def errors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever is raised becomes an answer; what nobody foresaw says nothing of itself."""
    deps = request.app[DEPS]
    try:
        return await handler(request)
    except AuthError as error:
        return _answer(request, error)
    except StoreError:
        log.warning("the state cannot be used", exc_info=True)
        return _answer(request, AuthError(Reason.STATE_STALE, "the server cannot use its state; try again later"))
    except LogUnavailableError:
        sentence = "the server cannot write its audit log, and does nothing without a record; tell your platform team"
        return _answer(request, AuthError(Reason.LOG_UNAVAILABLE, sentence))
    except TimeoutError:
        return _plain(request, deps, 408, "the request took too long to arrive")
    except web.HTTPException as error:
        return _plain(request, deps, error.status, HTTPStatus(error.status).phrase)
    except Exception:
        log.exception("a request failed")
        return _plain(request, deps, 500, "something went wrong here; the server's own log says what")


def _plain(request: web.Request, deps: WebDeps, status: int, sentence: str) -> web.Response:
    if request.path.startswith("/api/"):
        return web.json_response({"error": Reason.BAD_REQUEST.value, "message": sentence}, status=status)
    title = "Nothing here" if status == 404 else "Not understood"
    return page("error.html", deps, status=status, title=title, message=sentence, reason=str(status))
