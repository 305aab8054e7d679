"""What threads want stored at the same moment is stored together; nobody pays for another's fault."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from publishers.group_commit import GroupCommit
from tests.waiting import wait_until


class Away(Exception):
    pass


class Ended(BaseException):
    """As a server ends a request wherever it stands."""


class Store:
    """Notes what it is asked for; its first call lasts until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.go = threading.Event()
        self.is_away = False
        self.at_several: Callable[[], object] = lambda: (
            None
        )  # what happens while it has several calls at once

    def commit(self, items: Sequence[str]) -> list[str]:
        self.calls.append(list(items))
        if len(self.calls) == 1:
            assert self.go.wait(10)
        if self.is_away:
            raise Away
        if len(items) > 1:
            self.at_several()
        if "bad" in items:
            self.is_away = "last" in items
            raise ValueError(f"bad among {len(items)}")
        return [item.upper() for item in items]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def group(store: Store) -> GroupCommit[str, str]:
    return GroupCommit(store.commit, concerns_all=lambda error: isinstance(error, Away))


Calls = Callable[..., list["Future[Sequence[str]]"]]


@contextmanager
def meanwhile(store: Store, group: GroupCommit[str, str]) -> Iterator[Calls]:
    """Calls that all come while a first one is at the store."""
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(group, ["first"])
        wait_until(lambda: store.calls)

        def call(*items: list[str]) -> list[Future[Sequence[str]]]:
            found = [threads.submit(group, each) for each in items]
            wait_until(lambda: len(group._waiting) == len(items))
            store.go.set()
            return found

        yield call
        assert first.exception() is not None if store.is_away else first.result() == ["FIRST"]


def test_a_lone_call_is_made_at_once(store: Store, group: GroupCommit[str, str]) -> None:
    store.go.set()
    assert group(["a", "b"]) == ["A", "B"]
    assert store.calls == [["a", "b"]]


def test_calls_that_come_while_one_runs_are_one_and_each_gets_its_own(
    store: Store, group: GroupCommit[str, str]
) -> None:
    with meanwhile(store, group) as call:
        found = call(["a", "b"], ["c"], ["d", "e"])
        assert [future.result(10) for future in found] == [["A", "B"], ["C"], ["D", "E"]]
    assert len(store.calls) == 2
    assert sorted(store.calls[1]) == ["a", "b", "c", "d", "e"]


def test_bad_items_fail_their_own_call_only(store: Store, group: GroupCommit[str, str]) -> None:
    with meanwhile(store, group) as call:
        good, bad, other = call(["a"], ["bad"], ["b"])
        assert (good.result(10), other.result(10)) == (["A"], ["B"])
        with pytest.raises(ValueError, match="bad among 1") as raised:
            bad.result(10)
    assert raised.value.__context__ is None  # which would show what is the others'


def test_an_error_that_concerns_all_is_not_asked_for_again(
    store: Store, group: GroupCommit[str, str]
) -> None:
    store.is_away = True
    with meanwhile(store, group) as call:
        for future in call(["a"], ["b"], ["c"]):
            assert isinstance(future.exception(10), Away)
    assert len(store.calls) == 2


def test_after_an_error_the_next_call_is_made(store: Store, group: GroupCommit[str, str]) -> None:
    store.go.set()
    with pytest.raises(ValueError, match="bad"):
        group(["bad"])
    assert group(["a"]) == ["A"]


def test_a_store_that_goes_away_while_each_call_is_made_alone_is_asked_no_more(
    store: Store, group: GroupCommit[str, str]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(group, ["first"])
        wait_until(lambda: store.calls)
        found = [threads.submit(group, ["bad", "last"]), *(threads.submit(group, [name]) for name in "abc")]
        wait_until(lambda: len(group._waiting) == 4)
        store.go.set()
        assert first.result(10) == ["FIRST"]
        assert {type(future.exception(10)) for future in found} == {Away}
    assert len(store.calls) == 3


def test_who_is_interrupted_while_it_commits_for_others_leaves_them_to_the_next(
    store: Store, group: GroupCommit[str, str]
) -> None:
    interruptions = iter([Ended()])

    def interrupt() -> None:
        for interruption in interruptions:
            raise interruption

    store.at_several = interrupt
    with meanwhile(store, group) as call:
        found = call(["a"], ["b"], ["c"], ["d"])
        ends = {
            name: future.exception(10) or future.result() for name, future in zip("abcd", found, strict=True)
        }
    (interrupted,) = [name for name, end in ends.items() if isinstance(end, Ended)]
    assert {name: end for name, end in ends.items() if name != interrupted} == {
        name: [name.upper()] for name in "abcd" if name != interrupted
    }
    assert group(["later"]) == ["LATER"]


def test_who_is_interrupted_while_it_waits_holds_up_nobody_and_stores_nothing(
    store: Store, group: GroupCommit[str, str]
) -> None:
    def end(*_: object) -> None:
        raise Ended

    def end_who_waits() -> None:
        wait_until(lambda: group._waiting)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, end)
    try:
        with meanwhile(store, group) as call, ThreadPoolExecutor(1) as threads:
            threads.submit(end_who_waits)
            with pytest.raises(Ended):
                group(["gone"])
            assert [future.result(10) for future in call(["a"])] == [["A"]]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert group(["later"]) == ["LATER"]
    assert store.calls == [["first"], ["a"], ["later"]]


def test_nobody_waits_for_a_commit_that_is_not_its_own(store: Store, group: GroupCommit[str, str]) -> None:
    """Who was taken along is answered though the next commit has begun, and lasts."""
    with ThreadPoolExecutor(12) as threads:
        first = threads.submit(group, ["first"])
        wait_until(lambda: store.calls)
        taken_along = [threads.submit(group, [name]) for name in "abcdef"]
        wait_until(lambda: len(group._waiting) == 6)
        next_ones: list[Future[Sequence[str]]] = []
        go_on = threading.Event()

        def let_others_come() -> None:
            if next_ones:
                assert go_on.wait(10)
            else:
                next_ones.extend(threads.submit(group, [name, name]) for name in "xyz")
                wait_until(lambda: len(group._waiting) == 3)

        store.at_several = let_others_come
        store.go.set()
        assert [future.result(10) for future in (first, *taken_along)] == [["FIRST"], *map(list, "ABCDEF")]
        wait_until(lambda: len(store.calls) == 3)
        assert not any(future.done() for future in next_ones)
        go_on.set()
        assert [future.result(10) for future in next_ones] == [["X", "X"], ["Y", "Y"], ["Z", "Z"]]
