"""What threads want stored at the same moment is stored together; nobody pays for another's fault."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from publishers.group_commit import GroupCommit
from tests.waiting import wait_until


class Away(Exception):
    pass


class Store:
    """Notes what it is asked for; its first call lasts until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.go = threading.Event()
        self.is_away = False

    def commit(self, items: Sequence[str]) -> list[str]:
        self.calls.append(list(items))
        if len(self.calls) == 1:
            assert self.go.wait(10)
        if self.is_away:
            raise Away
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def group(store: Store) -> GroupCommit[str, str]:
    return GroupCommit(store.commit, concerns_all=Away)


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
        with pytest.raises(ValueError, match="bad"):
            bad.result(10)


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
