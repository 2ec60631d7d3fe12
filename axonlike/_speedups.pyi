from collections import deque
from collections.abc import Callable
from typing import Any

def install(
    component: type,
    inbox: type,
    turn: type,
    wait: type,
    sleep: type,
    scheduler: type,
    timer_queue: type,
    timer: type,
    deque: type[deque[Any]],
    sleeping: object,
    heappush: Callable[..., None],
    generator_send: Callable[[Any], Any],
    plain_waits: dict[Any, Any],
    pause: object,
    nothing: object,
    perf_counter: Callable[[], float],
    slice_s: float,
    longest_stride: int,
    parks: int,
    documented: Callable[[Callable[..., Any]], str],
    ticks_per_s: float,
    /,
) -> None: ...
def install_call(plot: type, desk: type, array: type, room: tuple[int, ...], /) -> None: ...
def install_thread(component: type, thread: type, ended: object, most_under_way: int, /) -> None: ...

class TimerFD:
    def fileno(self) -> int: ...
    def set(self, when_s: float, /) -> None: ...
    def close(self) -> None: ...
