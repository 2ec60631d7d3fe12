"""Message passing inside one scheduler: a chain in step and in burst, and a ring with one token.

"step": the source sends one message a resume; "burst": 100. A hop is one message over one link; a chain of 10 relays
has 11 links. What is counted, in millions a second, is hops.

Kamaelia's Axon runs on Python 2 only and so cannot be a row here. In the runs behind the budgets it made 0.054 million
hops a second where asyncio.Queue made 0.32: forty times Axon is 6.75 times asyncio.
"""

from collections.abc import Callable
from functools import partial

from benchmarks import chains_asyncio, chains_raw
from benchmarks.harness import Options, Reach, Run, Table, Workload, installed, measure_rates, ratio

__all__ = ["own", "peers", "run"]

RELAYS = 10
RING = 10
BURST = 100
STEP_IN_AXON_TIMES_40 = 40 * 0.054 / 0.32

LIMIT = "raw deques and generators (limit)"
ASYNCIO = "asyncio.Queue tasks"
DOCUMENTED = "axonlike, documented idiom"
DRAINING = "axonlike, draining iterator"
SHORT, LONG = f"{DOCUMENTED}, 2 relays", f"{DOCUMENTED}, 100 relays"

Key = tuple[str, str]
OneChain = Callable[[int, int], Run]
"""Takes messages and burst."""


def _columns(name: str, chain: OneChain, ring: Workload | None = None) -> dict[Key, Workload]:
    found: dict[Key, Workload] = {
        (name, "step"): lambda messages: chain(messages, 1),
        (name, "burst"): lambda messages: chain(messages, BURST),
    }
    return found if ring is None else found | {(name, "ring"): ring}


def peers() -> dict[Key, Workload]:
    """The limit, and the peers that can run here. A workload takes the number of messages, or of laps."""
    found = _columns(LIMIT, partial(chains_raw.chain, RELAYS), partial(chains_raw.ring, RING))
    found |= _columns(ASYNCIO, partial(chains_asyncio.chain, RELAYS), partial(chains_asyncio.ring, RING))
    if installed("uvloop"):
        import uvloop

        loop_factory = uvloop.new_event_loop
        found |= _columns(
            f"{ASYNCIO} on uvloop",
            partial(chains_asyncio.chain, RELAYS, loop_factory=loop_factory),
            partial(chains_asyncio.ring, RING, loop_factory=loop_factory),
        )
    if installed("trio"):
        from benchmarks import chains_trio

        chain, ring = partial(chains_trio.chain, RELAYS), partial(chains_trio.ring, RING)
        found |= _columns("trio memory channels", chain, ring)
    return found


def own() -> dict[Key, Workload]:
    """axonlike in each idiom; the documented one in chains of other lengths too."""
    from benchmarks import chains_axonlike

    found: dict[Key, Workload] = {}
    for name, idiom in chains_axonlike.IDIOMS.items():
        chain, ring = partial(chains_axonlike.chain, idiom, RELAYS), partial(chains_axonlike.ring, idiom, RING)
        found |= _columns(f"axonlike, {name}", chain, ring)
    documented = chains_axonlike.IDIOMS["documented idiom"]
    found |= _columns(SHORT, partial(chains_axonlike.chain, documented, 2))
    found |= _columns(LONG, partial(chains_axonlike.chain, documented, 100))
    return found


def reaches(rates: dict[Key, float]) -> list[Reach]:
    """What axonlike is to reach (must), as ratios of this run."""
    own_step, own_burst = rates[DOCUMENTED, "step"], rates[DOCUMENTED, "burst"]
    asyncio_step, asyncio_burst = rates[ASYNCIO, "step"], rates[ASYNCIO, "burst"]
    return [
        Reach("documented idiom / asyncio.Queue, step", 5, own_step / asyncio_step),
        Reach("documented idiom / asyncio.Queue, burst", 4, own_burst / asyncio_burst),
        Reach("documented idiom / limit, step", 0.25, own_step / rates[LIMIT, "step"]),
        Reach("documented idiom / limit, burst", 0.15, own_burst / rates[LIMIT, "burst"]),
        Reach("draining iterator / asyncio.Queue, burst", 7, rates[DRAINING, "burst"] / asyncio_burst),
        Reach("documented idiom / asyncio.Queue, ring", 4, rates[DOCUMENTED, "ring"] / rates[ASYNCIO, "ring"]),
        Reach("40 times Axon in step, as times asyncio.Queue", STEP_IN_AXON_TIMES_40, own_step / asyncio_step),
        *(
            Reach(f"{length} of 10 relays, {column}", 0.75, rates[name, column] / rates[DOCUMENTED, column])
            for name, length in ((SHORT, "2 relays / chain"), (LONG, "100 relays / chain"))
            for column in ("step", "burst")
        ),
    ]


def run(options: Options) -> list[Table]:
    """Measure every contestant; one table."""
    rates = measure_rates(peers() | own(), options, start=BURST)
    columns = ("step", "burst", "ring")
    table = Table(
        "Messages: million hops a second, chain of 10 relays, ring of 10",
        tuple(head for column in columns for head in (column, "x asyncio", "x limit")),
    )
    for name in dict.fromkeys(name for name, _ in rates):
        cells: list[float | None] = []
        for column in columns:
            rate = rates.get((name, column))
            cells += [None if rate is None else rate / 1e6]
            cells += [ratio(rate, rates[ASYNCIO, column]), ratio(rate, rates[LIMIT, column])]
        table.add(name, *cells)
    table.notes += [f"{module} is not installed" for module in ("uvloop", "trio") if not installed(module)]
    table.reaches += reaches(rates)
    return [table]
