"""How things end, as a table, and the one piece of graph theory that goes with it. Knows no component.

`REACTION` says what each kind of ending does to a component that gets it in each state. The scheduler looks here,
the documentation's picture is drawn from here, and a test walks every cell.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import TypeVar

__all__ = ["REACTION", "Ending", "Reaction", "State", "strongly_connected"]


class State(Enum):
    """Where a component stands."""

    NEW = "made, not activated"
    READY = "has its turn soon"
    WAITING = "waits for a message or a time-out"
    SLEEPING = "sleeps"
    BLOCKED = "waits for room in a box that it feeds"
    FOREIGN = "awaits something of asyncio's"
    JOINING = "waits for components to end"
    OUTSIDE = "runs in a thread or process, or is driven by a device"
    HOLLOW = "has no body: stands as long as its children"
    BACKING_OFF = "failed; is restarted soon"
    STOPPING = "was told to stop and has not ended yet"
    ENDED = "has ended"


class Ending(Enum):
    """What can end a component from outside."""

    FINISHED = "end of input: every producer has ended (or sent ProducerFinished)"
    SHUTDOWN = "Shutdown: on control, by a chassis, by stop(), by Ctrl-C"


class Reaction(Enum):
    """What happens then."""

    NOTHING = "nothing"
    NOTE = "noted; looked at when it next waits on empty boxes"
    THROW = "if the boxes it waits for are empty, Finished is raised at its wait"
    CLOSE = "its generator is closed; finally blocks run"
    CANCEL = "its async body is cancelled, its thread's next call raises"
    CHILDREN = "handed to its children"


REACTION: dict[tuple[State, Ending], Reaction] = {
    (State.NEW, Ending.FINISHED): Reaction.NOTE,
    (State.NEW, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.READY, Ending.FINISHED): Reaction.NOTE,
    (State.READY, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.WAITING, Ending.FINISHED): Reaction.THROW,
    (State.WAITING, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.SLEEPING, Ending.FINISHED): Reaction.NOTE,
    (State.SLEEPING, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.BLOCKED, Ending.FINISHED): Reaction.NOTE,
    (State.BLOCKED, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.FOREIGN, Ending.FINISHED): Reaction.NOTE,
    (State.FOREIGN, Ending.SHUTDOWN): Reaction.CANCEL,
    (State.JOINING, Ending.FINISHED): Reaction.NOTE,
    (State.JOINING, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.OUTSIDE, Ending.FINISHED): Reaction.NOTE,
    (State.OUTSIDE, Ending.SHUTDOWN): Reaction.CANCEL,
    (State.HOLLOW, Ending.FINISHED): Reaction.CHILDREN,
    (State.HOLLOW, Ending.SHUTDOWN): Reaction.CHILDREN,
    (State.BACKING_OFF, Ending.FINISHED): Reaction.NOTE,
    (State.BACKING_OFF, Ending.SHUTDOWN): Reaction.CLOSE,
    (State.STOPPING, Ending.FINISHED): Reaction.NOTHING,
    (State.STOPPING, Ending.SHUTDOWN): Reaction.NOTHING,
    (State.ENDED, Ending.FINISHED): Reaction.NOTHING,
    (State.ENDED, Ending.SHUTDOWN): Reaction.NOTHING,
}

Node = TypeVar("Node", bound=Hashable)


def strongly_connected(nodes: Iterable[Node], successors: Callable[[Node], Iterable[Node]]) -> list[set[Node]]:
    """The groups of nodes that reach each other (of one node only if it feeds itself). Tarjan, without recursion."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    on_stack: set[Node] = set()
    stack: list[Node] = []
    groups: list[set[Node]] = []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(tuple(successors(root))))]
        while work:
            node, rest = work[-1]
            for following in rest:
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    on_stack.add(following)
                    work.append((following, iter(tuple(successors(following)))))
                    break
                if following in on_stack:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    group: set[Node] = set()
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        group.add(member)
                        if member == node:
                            break
                    if len(group) > 1 or node in tuple(successors(node)):
                        groups.append(group)
    return groups
