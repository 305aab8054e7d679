"""Recent: a look-up is remembered for a while."""

from __future__ import annotations

from web.public.recent import Recent

STORED = {"a": 1, "b": 2, "c": 3}


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[set[str]] = []
        self.recent = Recent(self._look_up, seconds=5, most=2, clock=lambda: self.now)

    def _look_up(self, keys: set[str]) -> dict[str, int]:
        self.asked.append(keys)
        return {key: STORED[key] for key in keys if key in STORED}


def test_what_was_found_is_not_looked_up_again_for_a_while() -> None:
    world = World()
    assert world.recent({"a"}) == {"a": 1}
    world.now = 4.9
    assert world.recent({"a", "b"}) == {"a": 1, "b": 2}
    assert world.asked == [{"a"}, {"b"}]

    world.now = 5.0
    assert world.recent({"a", "b"}) == {"a": 1, "b": 2}
    assert world.asked[2:] == [{"a"}]


def test_what_does_not_exist_is_looked_up_each_time() -> None:
    world = World()
    assert [world.recent({"x"}), world.recent({"x"})] == [{}, {}]
    assert world.asked == [{"x"}, {"x"}]


def test_it_never_remembers_more_than_it_may() -> None:
    world = World()
    for key in "abc":
        world.recent({key})
    world.recent({"c"})
    assert world.asked == [{"a"}, {"b"}, {"c"}]
    world.recent({"a"})
    assert world.asked[3:] == [{"a"}]


def test_nothing_asked_is_nothing_looked_up() -> None:
    world = World()
    assert world.recent(set()) == {}
    assert world.asked == []
