"""A lease has one holder, who notices when it is no longer the one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models import lease, store
from models.lease import Held, Lease, held

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("clean_store")


def lapse(name: str) -> None:
    Lease.objects(id=name).update_one(set__until=store.now())


def test_of_many_at_once_one_takes_it() -> None:
    with ThreadPoolExecutor(8) as pool:
        for name in map(str, range(10)):
            assert sum(pool.map(lambda _, name=name: Held(name, MINUTE).take(), range(8))) == 1


def test_of_many_at_once_one_takes_a_lapsed_one() -> None:
    with ThreadPoolExecutor(8) as pool:
        for name in map(str, range(10)):
            Held(name, MINUTE).take()
            lapse(name)
            assert sum(pool.map(lambda _, name=name: Held(name, MINUTE).take(), range(8))) == 1


def test_it_is_free_again_after_the_block_also_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), held("a", 60):
        raise ZeroDivisionError
    with held("a", 60):
        assert Lease.left(["a", "b"]) == {"a"}
        with pytest.raises(lease.LeaseTaken), held("a", 60):
            pytest.fail("it is held")
    assert Lease.left(["a", "b"]) == set()


def test_whose_lease_lapsed_and_was_taken_notices_and_leaves_it_to_its_new_holder() -> None:
    former, new = Held("a", MINUTE), Held("a", MINUTE)
    assert former.take()
    lapse("a")
    assert new.take()
    with pytest.raises(lease.LeaseLost):
        former.renew()
    former.release()
    new.renew()
    assert not former.take()


def test_whose_lease_lapsed_and_was_taken_and_given_up_notices() -> None:
    former = Held("a", MINUTE)
    former.take()
    lapse("a")
    with held("a", 60):
        pass
    with pytest.raises(lease.LeaseLost):
        former.renew()


def test_who_renews_in_time_keeps_it() -> None:
    mine = Held("a", MINUTE)
    mine.take()
    Lease.objects(id="a").update_one(set__until=store.now() + timedelta(seconds=1))
    mine.renew()
    assert Lease.objects.get().until > store.now() + timedelta(seconds=50)
    mine.release()
    assert Lease.objects.count() == 0
