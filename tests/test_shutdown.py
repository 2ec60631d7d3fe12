"""The table of endings, and the circles of a graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from axonlike.shutdown import REACTION, Ending, Reaction, State, strongly_connected


def test_every_cell_of_the_table_is_filled() -> None:
    assert set(REACTION) == {(state, ending) for state in State for ending in Ending}


def test_what_has_ended_or_is_ending_reacts_to_nothing() -> None:
    for ending in Ending:
        assert REACTION[State.ENDED, ending] is REACTION[State.STOPPING, ending] is Reaction.NOTHING


def test_shutdown_ends_every_state_and_end_of_input_only_one_that_waits() -> None:
    for state in set(State) - {State.ENDED, State.STOPPING}:
        assert REACTION[state, Ending.SHUTDOWN] in (Reaction.CLOSE, Reaction.CANCEL, Reaction.CHILDREN)
    throws = [state for state in State if REACTION[state, Ending.FINISHED] is Reaction.THROW]
    assert throws == [State.WAITING]


GRAPHS = st.integers(1, 8).flatmap(
    lambda size: st.tuples(
        st.just(size), st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=20)
    )
)


@given(GRAPHS)
def test_strongly_connected_is_who_reaches_each_other(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, edges = graph
    reach = [[(a, b) in edges for b in range(size)] for a in range(size)]
    for middle in range(size):
        for a in range(size):
            for b in range(size):
                reach[a][b] = reach[a][b] or (reach[a][middle] and reach[middle][b])
    nodes = range(size)
    expected = {frozenset({a} | {b for b in nodes if reach[a][b] and reach[b][a]}) for a in nodes if reach[a][a]}
    found = strongly_connected(range(size), lambda node: [b for a, b in edges if a == node])
    assert {frozenset(group) for group in found} == expected
    assert len(found) == len(expected)


def test_a_very_long_chain_needs_no_recursion() -> None:
    length = 50_000
    assert strongly_connected(range(length), lambda node: [(node + 1) % length]) == [set(range(length))]
