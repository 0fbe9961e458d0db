"""Calling a portal's methods by name: one, fifty at once, or a whole list.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/general-principles.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from b24app.bitrix.answers import Answer, Timeout, post, read_answer
from b24app.bitrix.faults import Fault, PortalMoved, PortalSilent, VisitorTokenExpired, fault_of, portal_error
from b24app.bitrix.loose import as_map, number, whole
from b24app.bitrix.query import command_string, has_reference
from b24app.bitrix.record import Exchange, Record, answer_text, nowhere, outcome_of, sent_text
from b24app.bitrix.throttle import Throttle, Worked
from b24app.bitrix.transport import TIMEOUT, PortalSession
from b24app.errors import AppError, PortalUnavailable, Rejected

BATCH = 50
PAGE = 50
MAX_PAGES = 2000


class Tokens(Protocol):
    """Whose token a client uses."""

    def access_token(self) -> str:
        """The current token."""

    def refresh(self, stale: str) -> str:
        """A token newer than `stale`, which the portal refused: another process's, if it was faster, or a new one."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A visitor's token. Only his page can get another one."""

    token: str = field(repr=False)

    def access_token(self) -> str:
        """His token."""
        return self.token

    def refresh(self, stale: str) -> str:
        """Raises VisitorTokenExpired."""
        raise VisitorTokenExpired


@dataclass(frozen=True, slots=True)
class Command:
    """One call inside a batch. `references`: its parameters mean `$result[key][id]` and hold no text of people."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    references: bool = False


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Each command's result or error by its key. A batch is no transaction: what is done stays done.

    `not_run` have certainly not been carried out; one that simply was not answered has an uncertain error.
    """

    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, AppError] = field(default_factory=dict)
    not_run: tuple[str, ...] = ()


class PortalClient:
    """One portal through one person's token. Raises the errors of `faults`, never a code of the vendor's.

    `record` takes note of every call. `moved_to`: where the authorization server says that a token's portal is now, or
    None; asked when the portal answers under another name.
    """

    def __init__(
        self,
        http: PortalSession,
        endpoint: str,
        tokens: Tokens,
        *,
        throttle: Throttle,
        timeout: Timeout = TIMEOUT,
        record: Record = nowhere,
        moved_to: Callable[[str], str | None] = lambda token: None,
    ) -> None:
        self._http = http
        self._endpoint = http.policy.check_endpoint(endpoint)
        self._tokens = tokens
        self._throttle = throttle
        self._timeout = timeout
        self._record = record
        self._moved_to = moved_to

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """The method's result.

        Raises Rejected (its code may be empty or a digit), RateLimited, PortalUnavailable (`uncertain`: it may have
        acted), PortalMoved, TokenExpired, TokenDead, InstallationRevoked, PaymentRequired, HostRefused, and what
        the tokens' `refresh` raises.
        """
        return self.call_full(method, params).result

    def call_full(self, method: str, params: Mapping[str, Any] | None = None) -> Answer:
        """The result with `total`, `next` and `time`."""
        answer = self._ask(method, params or {}, (method,))
        self._throttle.answered(_worked([(method, answer.time)]))
        return answer

    def batch(self, commands: Mapping[str, Command], *, halt: bool = False) -> BatchResult:
        """Carry out up to 50 commands in one request, in order; `halt` stops at the first error.

        A command whose text the platform would take for a reference to another answer is called alone, after the
        others. Raises what `call` raises when nothing was done at all; ValueError for a batch that cannot be right.
        """
        if len(commands) > BATCH:
            raise ValueError(f"a batch holds {BATCH} commands, not {len(commands)}")
        alone = {key: command for key, command in commands.items() if _goes_alone(command)}
        packed = {key: command for key, command in commands.items() if key not in alone}
        if alone and any(command.references for command in packed.values()):
            raise ValueError("a command that goes alone cannot be in a batch with references")
        done = self._packed(packed, halt) if packed else BatchResult()
        self._one_by_one(alone, done, halt)
        return BatchResult(
            done.results,
            done.errors,
            tuple(key for key in commands if key not in done.results and key not in done.errors),
        )

    def list_all(
        self, method: str, params: Mapping[str, Any] | None = None, key: str | None = None, *, by_id: str | None = None
    ) -> Iterator[Any]:
        """Every row of a list, fetched page by page as it is consumed.

        `key` names the list inside the result (`items`). `by_id` names the id in filter, order and row: stable while
        rows come and go, and uncounted; without it pages go by `start`, for methods that cannot filter by id.
        """
        pages = self._pages_by_id(method, params or {}, key, by_id) if by_id else self._pages(method, params or {}, key)
        for count, page in enumerate(pages, start=1):
            yield from page
            if count >= MAX_PAGES:
                raise PortalUnavailable(f"{method} has no end")

    def _ask(self, method: str, params: Mapping[str, Any], methods: Collection[str]) -> Answer:
        token = self._tokens.access_token()
        outcome = self._post(method, params, token, methods)
        if isinstance(outcome, Fault) and outcome.stale_token:
            outcome = self._post(method, params, self._tokens.refresh(token), methods)
        if isinstance(outcome, Fault):
            raise self._error(method, outcome)
        return outcome

    def _post(self, method: str, params: Mapping[str, Any], token: str, methods: Collection[str]) -> Answer | Fault:
        """What was answered, at the portal's new address where it has one: what is only redirected has done nothing."""
        try:
            return self._exchange(method, params, token, methods)
        except PortalMoved:
            if not self._follows(token):
                raise
            return self._exchange(method, params, token, methods)

    def _follows(self, token: str) -> bool:
        """Whether the portal has a new address by the word of the authorization server, the only one that counts."""
        address = self._moved_to(token)
        if address is None or self._http.policy.check_endpoint(address) == self._endpoint:
            return False
        self._endpoint = self._http.policy.check_endpoint(address)
        return True

    def _exchange(self, method: str, params: Mapping[str, Any], token: str, methods: Collection[str]) -> Answer | Fault:
        self._throttle.admit(methods)
        began, body, outcome = time.monotonic(), b"", "ok"
        try:
            response, body = post(self._http, self._endpoint + method, self._timeout, json={**params, "auth": token})
            found = read_answer(response, body)
            outcome = "ok" if isinstance(found, Answer) else found.code or str(found.status)
            return found
        except AppError as error:
            outcome = outcome_of(error)
            if isinstance(error, PortalSilent):
                error.delay = self._throttle.silent() or error.delay
            raise
        finally:
            spent = round((time.monotonic() - began) * 1000)
            self._record(Exchange(method, outcome, spent, sent_text(params), answer_text(body)))

    def _error(self, method: str, fault: Fault) -> AppError:
        if fault.key == "query_limit_exceeded":
            return portal_error(fault, self._throttle.slow_down())
        if fault.key == "operation_time_limit":
            return portal_error(fault, self._throttle.pause(method))
        return portal_error(fault)

    def _packed(self, commands: Mapping[str, Command], halt: bool) -> BatchResult:
        cmd = {key: command_string(command.method, command.params) for key, command in commands.items()}
        methods = {command.method for command in commands.values()}
        body = as_map(self._ask("batch", {"cmd": cmd, "halt": int(halt)}, methods).result)
        results, faults, times = (as_map(body.get(part)) for part in ("result", "result_error", "result_time"))
        self._throttle.answered(_worked((command.method, times.get(key)) for key, command in commands.items()))
        done, error = BatchResult(), cache(self._error)  # a method that is blocked is noted once
        for key, command in commands.items():
            fault = fault_of(faults[key]) if key in faults else None
            if fault:
                done.errors[key] = error(command.method, fault)
            elif key in results:
                done.results[key] = results[key]
            elif not (halt and done.errors):
                done.errors[key] = PortalUnavailable("no answer to a command", uncertain=True)
        return done

    def _one_by_one(self, commands: Mapping[str, Command], done: BatchResult, halt: bool) -> None:
        """Single calls that may not throw away what the others have done: any error but a refusal ends the row."""
        for key, command in commands.items():
            if halt and done.errors:
                return
            try:
                done.results[key] = self.call(command.method, command.params)
            except AppError as error:
                if not done.results and not done.errors and _leaves_nothing(error, commands):
                    raise
                done.errors[key] = error
                if not isinstance(error, Rejected):
                    return

    def _pages(self, method: str, params: Mapping[str, Any], key: str | None) -> Iterator[list[Any]]:
        start: int | None = 0
        while start is not None:
            answer = self.call_full(method, {**params, "start": start})
            yield _rows(method, answer.result, key)
            start = answer.next if answer.next is not None and answer.next > start else None

    def _pages_by_id(self, method: str, params: Mapping[str, Any], key: str | None, by_id: str) -> Iterator[list[Any]]:
        last, full = 0, True
        while full:
            beyond = {**params.get("filter", {}), f">{by_id}": last}
            result = self.call(method, {**params, "filter": beyond, "order": {by_id: "ASC"}, "start": -1})
            page = _rows(method, result, key)
            yield page
            full = len(page) >= PAGE
            last = _advanced(method, page[-1], by_id, last) if full else last


def _worked(times: Iterable[tuple[str, Any]]) -> Worked:
    """By method, what the portal last said of its working time, where it said anything."""
    said = ((method, as_map(one)) for method, one in times)
    read = ((method, number(one.get("operating")), number(one.get("operating_reset_at"))) for method, one in said)
    return {method: (worked, reset_at) for method, worked, reset_at in read if worked is not None and reset_at}


def _leaves_nothing(error: AppError, commands: Collection[str]) -> bool:
    """Whether an error of the first command can stand for all: the others have certainly not been carried out."""
    uncertain = isinstance(error, PortalUnavailable) and error.uncertain
    return not isinstance(error, Rejected) and not (uncertain and len(commands) > 1)


def _goes_alone(command: Command) -> bool:
    return not command.references and has_reference(command.params)


def _rows(method: str, result: Any, key: str | None) -> list[Any]:
    rows = result.get(key, []) if key and isinstance(result, dict) else result
    if isinstance(rows, (list, dict)):
        return list(rows.values()) if isinstance(rows, dict) else rows
    raise PortalUnavailable(f"{method} answered without a list")


def _advanced(method: str, row: Any, by_id: str, last: int) -> int:
    """The last row's id. A page that does not lead on would be asked for again without end."""
    found = whole(as_map(row).get(by_id))
    if found is None or found <= last:
        raise PortalUnavailable(f"{method} does not list by {by_id}")
    return found
