"""The inbox by itself, without a scheduler: counting, policies, draining, and against a model."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from axonlike import Component
from axonlike.box import OVERRUN, UNBOUNDED, Inbox, Sink, check_policy
from axonlike.errors import BoxFull, BoxOverrun, WiringError


def inbox(limit: int | None = 1000, policy: Any = "block") -> Inbox:
    return Component().configure_inbox("inbox", limit=limit, policy=policy).inbox()


def test_a_new_box_is_empty_and_counts_nothing() -> None:
    box = inbox()
    assert (len(box), box.offered, box.taken, box.dropped, box.unread_at_end) == (0, 0, 0, 0, 0)
    assert list(box) == []
    assert box  # not False because it is empty


def test_messages_come_out_in_order_by_every_way_of_taking() -> None:
    box = inbox()
    for number in range(10):
        box.put(number)
    taken = [box.take(), *box.take_up_to(3), *list(box)]
    assert taken == list(range(10))


def test_put_many_is_put_for_each() -> None:
    one, many = inbox(3, "drop_oldest"), inbox(3, "drop_oldest")
    for number in range(10):
        one.put(number)
    many.put_many(range(10))
    assert one.statistics() == many.statistics()
    assert list(one) == list(many) == [7, 8, 9]


def test_put_many_refuses_one_by_one() -> None:
    box = inbox(3, "error")
    with pytest.raises(BoxFull):
        box.put_many(range(10))
    assert list(box) == [0, 1, 2]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(WiringError, match="a limit is at least 1"):
        inbox(limit)


def test_a_policy_that_does_not_exist_is_refused_with_those_there_are() -> None:
    with pytest.raises(WiringError, match=r"no box policy 'drop_old'; did you mean 'drop_oldest'\? \(there are: block"):
        check_policy("drop_old")


def test_a_loop_left_early_puts_the_rest_back_in_order() -> None:
    box = inbox()
    box.put_many(range(6))
    for message in box:
        if message == 2:
            break
    box.put(6)
    assert box.depth == 4
    assert list(box) == [3, 4, 5, 6]
    assert box.taken == 7


def test_in_the_middle_of_a_loop_depth_and_taken_are_right() -> None:
    box = inbox()
    box.put_many("abcd")
    seen = []
    for message in box:
        seen.append((message, box.depth, box.taken, box.last_taken))
    assert seen == [("a", 3, 1, "a"), ("b", 2, 2, "b"), ("c", 1, 3, "c"), ("d", 0, 4, "d")]


def test_recv_within_a_loop_takes_the_next_one() -> None:
    part = Component()
    part.inbox().put_many(range(5))
    seen = []
    for message in part.inbox():
        seen.append(message)
        if message == 1:
            seen.append(part.recv())
    assert seen == [0, 1, 2, 3, 4]
    assert part.inbox().taken == 5


def test_a_second_loop_within_a_loop_goes_on_where_the_first_stands() -> None:
    box = inbox()
    box.put_many(range(5))
    outer, inner = [], []
    for message in box:
        outer.append(message)
        if message == 1:
            inner += list(box)
    assert (outer, inner) == ([0, 1], [2, 3, 4])
    assert (box.depth, box.taken) == (0, 5)


def test_a_runaway_is_found_where_limit_and_allowance_are_passed() -> None:
    box = inbox(limit=7)
    with pytest.raises(BoxOverrun, match="past the limit of 7"):
        for number in range(2 * OVERRUN):
            box.put(number)
    assert box.depth == 7 + OVERRUN + 1


def test_an_unbounded_box_has_no_limit_to_show() -> None:
    box = inbox(None)
    assert box.limit == UNBOUNDED
    assert box.statistics().limit is None


def test_a_closed_box_counts_what_is_put_as_unread() -> None:
    box = inbox()
    box.put("before")
    assert box.close() == []
    box.put("after")
    box.put_many(["and", "more"])
    assert (box.depth, box.unread_at_end, box.offered) == (0, 4, 4)


def test_closing_in_the_middle_of_a_loop_counts_the_rest_as_unread() -> None:
    box = inbox()
    box.put_many(range(5))
    iterator = iter(box)
    next(iterator)
    box.close()
    assert (box.taken, box.unread_at_end, box.offered) == (1, 4, 5)


def test_a_larger_limit_or_another_policy_lets_waiting_senders_go_on() -> None:
    class Waiter:
        freed = 0

        def unblock(self, box: Inbox) -> None:
            self.freed += 1

    for limit, policy in ((5, "block"), (2, "drop_oldest"), (None, "block")):
        box, waiter = inbox(2), Waiter()
        box.put_many("ab")
        assert box.full
        box.waiters = deque([waiter])
        box.configure(2, "block")
        assert (box.full, waiter.freed) == (True, 0)
        box.configure(limit, policy)  # type: ignore[arg-type]
        assert (box.full, waiter.freed) == (False, 1)


def test_a_sink_counts_whatever_way_it_is_fed() -> None:
    sink = Sink()
    sink.put(1)
    sink.append(2)
    sink.put_many(iter([3, 4]))
    assert (sink.count, len(sink), bool(sink)) == (4, 0, True)


def test_alternating_between_two_boxes_thousands_of_times_in_one_step_works() -> None:
    from axonlike.testing import run_virtual

    seen: list[tuple[Any, Any]] = []

    class Zips(Component):
        Inboxes = {"left": "", "right": ""}

        def main(self) -> Any:
            for box in ("left", "right"):
                self.inbox(box).put_many(range(900))
            yield
            while self.data_ready("left"):
                seen.append((next(iter(self.inbox("left"))), next(iter(self.inbox("right")))))
            yield

    part = Zips()
    run_virtual(part)
    assert seen == [(number, number) for number in range(900)]
    assert [box.taken for box in part.statistics()] == [900, 900]


class BoxModel(RuleBasedStateMachine):
    """A box, beside the simplest thing that could do the same: a list and four counters."""

    @initialize(
        limit=st.integers(1, 5), policy=st.sampled_from(["block", "drop_oldest", "drop_newest", "latest", "error"])
    )
    def make(self, limit: int, policy: Any) -> None:
        self.part = Component()
        self.box = self.part.configure_inbox("inbox", limit=limit, policy=policy).inbox()
        self.limit = 1 if policy == "latest" else limit
        self.policy = policy
        self.model: list[int] = []
        self.number = self.offered = self.taken = self.dropped = self.unread = 0
        self.closed = False
        self.loop: Any = None

    def _put(self, number: int) -> None:
        if self.closed:
            self.offered += 1
            self.unread += 1
            return
        if self.policy == "error" and len(self.model) >= self.limit:
            return
        self.offered += 1
        self.model.append(number)
        if self.policy != "block" and len(self.model) > self.limit:
            # What a loop that goes on has in its hands is not dropped any more.
            held = self.held()
            index = -1 if self.policy == "drop_newest" else min(held, len(self.model) - 1)
            self.model.pop(index)
            self.dropped += 1

    def held(self) -> int:
        return self.loop.__length_hint__() if self.loop is not None else 0

    @rule(count=st.integers(0, 7), many=st.booleans())
    def put(self, count: int, many: bool) -> None:
        if many and self.held() and self.policy != "block":
            many = False  # which ones go when several come at once is the batch's business
        numbers = list(range(self.number, self.number + count))
        self.number += count
        try:
            if many:
                self.box.put_many(numbers)
            else:
                for number in numbers:
                    try:
                        self.box.put(number)
                    except BoxFull:
                        assert self.policy == "error"
        except BoxFull:
            assert self.policy == "error"
            assert len(self.model) + count > self.limit
        if many and self.policy == "error":
            numbers = numbers[: max(0, self.limit - len(self.model))] if not self.closed else numbers
        for number in numbers:
            self._put(number)

    @precondition(lambda self: not self.closed)
    @rule()
    def take(self) -> None:
        if self.model:
            assert self.part.recv() == self.model.pop(0)
            self.taken += 1
        else:
            with pytest.raises(IndexError):
                self.box.take()

    @precondition(lambda self: not self.closed)
    @rule(number=st.integers(1, 4))
    def take_up_to(self, number: int) -> None:
        self.loop = None
        expected, self.model = self.model[:number], self.model[number:]
        assert self.box.take_up_to(number) == expected
        self.taken += len(expected)

    @precondition(lambda self: not self.closed)
    @rule()
    def begin_a_loop(self) -> None:
        loop = iter(self.box)
        if hasattr(loop, "__length_hint__"):
            self.loop = loop
            self.box.settle()  # a loop is left unfinished by a yield, so others put in after a settle
            return
        self.loop = None  # the loop over a single message takes it when it is asked for it
        for message in loop:
            assert message == self.model.pop(0)
            self.taken += 1

    @precondition(lambda self: not self.closed and self.held())
    @rule()
    def next_of_the_loop(self) -> None:
        assert next(self.loop) == self.model.pop(0)
        self.taken += 1

    @rule()
    def a_step_is_over(self) -> None:
        self.box.settle()

    @precondition(lambda self: not self.closed)
    @rule()
    def close(self) -> None:
        self.box.close()
        self.unread += len(self.model)
        self.model.clear()
        self.closed, self.loop = True, None

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "box"):
            return
        box = self.box
        assert (box.depth, box.taken, box.dropped, box.unread_at_end) == (
            len(self.model), self.taken, self.dropped, self.unread,
        )  # fmt: skip
        assert box.offered == self.offered == box.taken + box.dropped + box.unread_at_end + box.depth
        assert self.part.data_ready() == len(self.model)


TestBoxAgainstAModel = BoxModel.TestCase
TestBoxAgainstAModel.settings = settings(stateful_step_count=30)


def test_what_was_taken_from_the_queue_itself_and_put_back_is_counted() -> None:
    box = Inbox(Component(), "inbox")
    for number in range(3):
        box.put(number)
    box.queue.popleft()
    box.count_taken(1)
    assert (box.taken, box.depth, box.offered) == (1, 2, 3)
    box.queue.appendleft(0)
    box.count_taken(-1)
    assert (box.taken, box.depth, box.offered) == (0, 3, 3)
