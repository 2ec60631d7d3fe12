"""SEMANTICS, "Signals and starting": rules 23 to 25, each by number; and the fault rows that go with them."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from collections.abc import Generator
from typing import Any

import pytest

from axonlike import Component, Pipeline, Scheduler, ThreadedComponent, default_scheduler, run, run_async
from axonlike.backplane import Backplane, PublishTo, SubscribeTo
from axonlike.errors import NameNotProvided, UsageError, WiringError
from axonlike.testing import PAUSE, Feeder, Probe, isolated, run_virtual
from tests.kernel.scripts import run_script

pytestmark = pytest.mark.hang_guard(60)

# Some of the scripts here hold the scheduler in a step that sleeps, which is the same to it and leaves the processor to
# other tests. That a step which computes is interrupted too is shown after the deadline.
#
# A second after force the process is ended. Where an orderly end is looked for all the same, `os._exit` is taken out of
# that script: on a busy machine the end may need longer. What then does not end is killed by run_script.

# uvloop is what scripts run on where it is installed; asyncio's own loop follows in the full tier.
LOOPS = pytest.mark.parametrize(
    "loop", [pytest.param("asyncio.new_event_loop", id="asyncio", marks=pytest.mark.slow), "uvloop"]
)


def scheduler_with(loop: str, options: str = "") -> str:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
        loop = "None"
    return f"Scheduler(loop_factory={loop}, {options})"


@LOOPS
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_row_21_rule_23_a_signal_stops_in_order_and_tells_the_exit_code(number: int, code: int, loop: str) -> None:
    # No watchdog: on a busy machine it has something to say even of such steps.
    done = run_script(f"{scheduler_with(loop, 'watchdog_s=None')}.run(Says('a', ''), Says('b'))", number)
    assert done.code == code, done.err
    assert done.lines[-2:] == ["b closed", "a closed"]
    assert done.err == ""


def test_rule_23_nothing_is_raised_inside_a_component_before_the_deadline() -> None:
    done = run_script(
        """
        class Long(Component):
            def main(self):
                say("ready")
                began = time.monotonic()
                while time.monotonic() - began < 0.3:
                    pass
                say("step over")
                try:
                    while True:
                        yield
                except BaseException as exc:
                    say(type(exc).__name__)
                    raise
        run(Long())
        """,
        signal.SIGINT,
    )
    assert (done.code, done.lines) == (130, ["ready", "step over", "GeneratorExit"]), done.err


@LOOPS
def test_rule_23_after_the_deadline_keyboard_interrupt_is_raised_in_the_running_step(loop: str) -> None:
    done = run_script(
        f"""
        os._exit = lambda code: None
        class Hog(Component):
            def main(self):
                yield
                try:
                    say("ready")
                    while True:
                        pass
                except KeyboardInterrupt:
                    say("interrupted")
                    raise
        {scheduler_with(loop, "stop_deadline_s=0.3")}.run(Says("other", ""), Hog())
        """,
        signal.SIGTERM,
    )
    assert done.code == 143, done.err
    assert "interrupted" in done.lines
    assert "other closed" in done.lines


@pytest.mark.slow
def test_rule_23_a_second_later_a_thread_ends_the_process() -> None:
    done = run_script(
        """
        class Stubborn(Component):
            def main(self):
                while True:
                    try:
                        say("ready")
                        while True:
                            time.sleep(0.01)
                    except KeyboardInterrupt:
                        pass
                yield
        Scheduler(stop_deadline_s=0.3).run(Stubborn())
        """,
        signal.SIGINT,
    )
    assert done.code == 130
    assert "axonlike: Stubborn did not stop; ending the process" in done.err


def test_row_20_a_second_ctrl_c_is_at_once() -> None:
    done = run_script(
        """
        os._exit = lambda code: None
        class Hog(Component):
            def main(self):
                yield
                say("ready")
                while not self.scheduler._interrupted_by:
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGINT)  # now: two that come before one is handled are one to Python
                while True:
                    time.sleep(0.01)
        Scheduler(stop_deadline_s=1000).run(Says("other", ""), Hog())
        """,
        signal.SIGINT,
    )
    assert done.code == 130, done.err  # it would not have come to its deadline
    assert "other closed" in done.lines


@pytest.mark.parametrize(("number", "remedy"), [(signal.SIGINT, "Ctrl-C again ends it now"), (signal.SIGTERM, "")])
def test_rule_23_the_first_signal_names_a_step_that_does_not_end(number: int, remedy: str) -> None:
    done = run_script(
        """
        logging.disable()  # so that nothing else is written to stderr
        class Hog(Component):
            def main(self):
                yield
                while self.scheduler.held_s < 2:
                    time.sleep(0.01)
                say("ready")
                while not os.fstat(2).st_size:
                    time.sleep(0.01)
                time.sleep(0.5)  # in which it is not told again
                yield
        Scheduler(stop_deadline_s=25, watchdog_s=0.2).run(Hog())
        """,
        number,
    )
    assert done.code == 128 + number, done.err
    told = re.findall(r"^axonlike: stopping; Hog has not come to a yield for (\d+) s; (.*)$", done.err, re.MULTILINE)
    assert len(told) == 1, done.err
    held_s, outlook = told[0]
    assert int(held_s) >= 2  # by what the watchdog knows: without it, it would be told after one
    assert remedy in outlook
    assert re.search("it is interrupted in 2[0-5] s$", outlook)


def test_rule_23_without_a_watchdog_it_is_named_a_second_later() -> None:
    done = run_script(
        """
        class Hog(Component):
            def main(self):
                yield
                say("ready")
                while not os.fstat(2).st_size:
                    time.sleep(0.01)
                time.sleep(0.5)  # in which it is not told again
                yield
        Scheduler(stop_deadline_s=25, watchdog_s=None).run(Hog())
        """,
        signal.SIGINT,
    )
    assert done.code == 130, done.err
    # More than one second where the machine is busy, but never less.
    assert len(re.findall(r"stopping; Hog has not come to a yield for [1-9]\d* s", done.err)) == 1, done.err
    assert done.err.count("stopping; ") == 1, done.err


@pytest.mark.slow
def test_row_20_a_second_ctrl_c_gives_up_a_thread_that_does_not_listen() -> None:
    done = run_script(
        """
        os._exit = lambda code: None
        class Deaf(ThreadedComponent):
            def main(self):
                while not self.stopping:
                    time.sleep(0.01)
                time.sleep(0.2)  # the scheduler has nothing to do then
                # The second only now: two that come before one is handled are one to Python.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                threading.Event().wait()
        Scheduler(stop_deadline_s=1000).run(Deaf(), Says("other"))
        """,
        signal.SIGINT,
    )
    assert done.code == 130, done.err  # it would not have come to its deadline
    assert "other closed" in done.lines


@pytest.mark.slow
def test_rule_23_a_second_sigterm_is_not_a_second_ctrl_c() -> None:
    done = run_script(
        """
        class Long(Component):
            def main(self):
                try:
                    say("ready")
                    while True:
                        yield self.sleep(1)
                finally:
                    signal.raise_signal(signal.SIGTERM)  # the second: the first has brought us here
                    say("closed in order")
        run(Long())
        """,
        signal.SIGTERM,
    )
    assert (done.code, done.lines) == (143, ["ready", "closed in order"]), done.err


@pytest.mark.parametrize(
    "number",
    [signal.SIGHUP, *[pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGTERM)]],
)
def test_rule_23_a_signal_that_was_inherited_as_ignored_stays_ignored(number: int) -> None:
    done = run_script(
        """
        class Short(Component):
            def main(self):
                say("ready")
                yield self.sleep(0.5)
                say("all of it")
        run(Short())
        """,
        number,
        ignored=[number],
    )
    assert (done.code, done.lines) == (0, ["ready", "all of it"]), done.err


def test_rule_23_what_fails_while_stopping_is_logged_and_the_exit_code_stays() -> None:
    done = run_script(
        """
        class FailsAtClose(Component):
            def main(self):
                try:
                    yield self.sleep(1000)
                finally:
                    raise ValueError("while closing")
        run(FailsAtClose(), Says("other"))
        """,
        signal.SIGINT,
    )
    assert done.code == 130
    assert "while closing" in done.err
    assert "other closed" in done.lines


def test_rule_23_the_handlers_from_before_are_back_after_the_run() -> None:
    def mine(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)
    try:
        Scheduler(watchdog_s=None).run(Feeder([1]))
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)


def test_rule_23_run_async_raises_and_never_exits() -> None:
    done = run_script(
        """
        async def program():
            try:
                await run_async(Says("a"))
            except asyncio.CancelledError:
                say("cancelled")
                raise
        try:
            asyncio.run(program())
        except KeyboardInterrupt:
            say("interrupted")
        """,
        signal.SIGINT,
    )
    assert (done.code, done.lines) == (0, ["ready", "a closed", "cancelled", "interrupted"]), done.err


def test_rule_23_run_under_a_running_loop_names_run_async() -> None:
    async def program() -> None:
        with isolated(), pytest.raises(UsageError, match=r"await run_async"):
            run(Feeder([1]))

    asyncio.run(program())


def test_row_02_exit_codes_of_a_script() -> None:
    raises = """
        class Fails(Component):
            def main(self):
                yield
                raise {what}
        run(Says("other", ""), Fails())
        """
    assert run_script(raises.format(what="SystemExit(7)")).code == 7
    assert run_script(raises.format(what="SystemExit('a reason')")).code == 1
    interrupted = run_script(raises.format(what="KeyboardInterrupt"))
    assert interrupted.code in (130, -signal.SIGINT)
    failed = run_script(raises.format(what="RuntimeError('lost?')"))
    assert failed.code == 1
    assert "RuntimeError: lost?" in failed.err
    for done in (interrupted, failed):
        assert "other closed" in done.lines


def test_row_05_a_step_that_never_yields_is_named_with_its_stack_and_ctrl_c_still_works() -> None:
    done = run_script(
        """
        class Says_when_told(logging.Handler):
            whole = False
            def emit(self, record):
                text = record.getMessage()
                if self.whole and text.startswith("still held"):
                    say("ready")  # not before: the watchdog's thread may be late
                self.whole = self.whole or "in in_here" in text
        logging.basicConfig()
        logging.getLogger().addHandler(Says_when_told())
        class Sleeps(Component):
            def main(self):
                yield
                self.in_here()
            def in_here(self):
                time.sleep(60)
        Scheduler(watchdog_s=0.1, stop_deadline_s=0.6).run(Pipeline(Sleeps(), Says(text="")))
        """,
        signal.SIGINT,
    )
    assert done.code == 130
    assert re.search(r"Pipeline/Sleeps has held the scheduler for \d+\.\d s: ", done.err)
    assert "in in_here" in done.err
    assert "make it a ThreadedComponent" in done.err
    # Told whole once, and in one line at doubled times, not at every look.
    assert done.err.count("in in_here") == 1
    still = re.findall(r"still held by Pipeline/Sleeps for \d+\.\d s at .*:\d+$", done.err, re.MULTILINE)
    assert 1 <= len(still) <= 9  # in half a minute; of looks there are some 25 between the signal and the end


def test_row_05_a_main_without_a_yield_that_never_returns_is_named_too() -> None:
    done = run_script(
        """
        os._exit = lambda code: None
        class Says_when_told(logging.Handler):
            def emit(self, record):
                if "in main" in record.getMessage():
                    say("ready")  # not before: the watchdog's thread may be late
        logging.basicConfig()
        logging.getLogger().addHandler(Says_when_told())
        class Forgot(Component):
            def main(self):
                try:
                    while True:
                        self.wait("inbox")
                        time.sleep(0.001)  # for the machine's other tests
                finally:
                    say("was interrupted")
        Scheduler(watchdog_s=0.1, stop_deadline_s=0.6).run(Pipeline(Says(text=""), Forgot()))
        """,
        signal.SIGINT,
    )
    assert done.code == 130
    assert done.lines == ["ready", "was interrupted"]
    assert re.search(r"Pipeline/Forgot has held the scheduler for \d+\.\d s: ", done.err)
    assert "in main" in done.err


def test_row_22_a_closed_stdout_ends_quietly() -> None:
    done = run_script(
        """
        class Prints(Component):
            def main(self):
                for number in range(1000):
                    print(number, flush=True)
                    yield
        say("ready")
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        try:
            Scheduler(watchdog_s=None).run(Prints())  # the watchdog would tell of a step that a busy machine holds up
        except Exception as exc:
            os.write(2, type(exc.cause).__name__.encode())
            os._exit(3)
        """,
    )
    # The kernel reports it like any other failure of a component; what prints decides what it means.
    assert (done.code, done.err) == (3, "BrokenPipeError")


class Early(Component):
    """Publishes in its very first step."""

    def __init__(self, number: int) -> None:
        self.number = number

    def main(self) -> Generator[Any, Any, None]:
        for number in range(self.number):
            self.send(number)
        yield


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_rule_24_the_order_of_activation_loses_no_first_message(order: tuple[int, ...]) -> None:
    probe = Probe()
    parts = [Backplane("Events"), Pipeline(Early(5), PublishTo("Events")), Pipeline(SubscribeTo("Events"), probe)]
    run_virtual(*[parts[index] for index in order])
    assert probe.messages == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("wanted", [lambda: Pipeline(Early(1), PublishTo("Event")), lambda: SubscribeTo("Event")])
def test_rule_24_a_name_that_nobody_provides_lists_those_there_are(wanted: Any) -> None:
    started: list[bool] = []

    class Tells(Component):
        def main(self) -> Generator[Any, Any, None]:
            started.append(True)
            yield

    with pytest.raises(NameNotProvided) as caught:
        run_virtual(Tells(), Backplane("Events"), Backplane("Other"), wanted())
    assert "no backplane 'Event'; did you mean 'Events'? (there are: 'Events', 'Other')" in str(caught.value)
    assert not started


def test_rule_24_while_running_it_is_an_error_at_activation() -> None:
    class Late(Component):
        error = ""

        def main(self) -> Generator[Any, Any, None]:
            yield self.sleep(1)
            try:
                SubscribeTo("Nothing").activate()
            except NameNotProvided as exc:
                self.error = str(exc)
            late = Backplane("Late")
            late.activate()
            probe = Pipeline(SubscribeTo("Late"), Probe())
            probe.activate()

    late = Late()
    run_virtual(late)
    assert "there are: none" in late.error


def test_rule_24_two_of_one_name_are_an_error_that_names_both() -> None:
    with pytest.raises(WiringError, match=r"two of backplane 'Events'.*rename one"):
        run_virtual(Backplane("Events"), Backplane("Events"))


def test_rule_24_a_refused_activation_leaves_nothing_behind() -> None:
    class Tries(Component):
        def main(self) -> Generator[Any, Any, None]:
            scheduler = self.scheduler
            assert scheduler is not None
            before = set(scheduler.parts)
            with pytest.raises(NameNotProvided):
                scheduler.activate(Pipeline(Feeder([1]), PublishTo("Nothing")), Backplane("Half"))
            assert set(scheduler.parts) == before
            Backplane("Half").activate()  # the name is free
            yield

    run_virtual(Tries())


def test_rule_25_inside_a_run_the_default_scheduler_is_that_runs() -> None:
    seen: list[bool] = []

    class Looks(Component):
        def main(self) -> Generator[Any, Any, None]:
            seen.append(default_scheduler() is self.scheduler)
            yield

    class LooksInThread(ThreadedComponent):
        def main(self) -> None:
            seen.append(default_scheduler() is self.scheduler)

    class LooksInAsync(Component):
        async def main(self) -> None:
            await asyncio.sleep(1)
            seen.append(default_scheduler() is self.scheduler)

    run_virtual(Looks(), LooksInThread(), LooksInAsync())
    assert seen == [True, True, True]


def test_rule_25_each_thread_has_its_own_otherwise() -> None:
    with isolated() as mine:
        assert default_scheduler() is mine
        other: list[Scheduler] = []
        thread = threading.Thread(target=lambda: other.append(default_scheduler()))
        thread.start()
        thread.join()
        assert other[0] is not mine


def test_rule_25_a_default_scheduler_is_dropped_when_its_run_has_ended() -> None:
    with isolated() as first:
        Feeder([1]).activate()
        Feeder([2]).run()
        assert first.state == "ended"
        second = default_scheduler()
        assert second is not first
        probe = Probe()
        Pipeline(Feeder([3]), probe).run()
        assert probe.messages == [3]


def test_rule_25_what_was_activated_runs_with_what_is_run() -> None:
    with isolated():
        probe = Probe()
        Backplane("Events").activate()
        Pipeline(SubscribeTo("Events"), probe).activate()
        Pipeline(Feeder([1, 2]), PublishTo("Events")).run()
    assert probe.messages == [1, 2]


def test_rule_25_a_run_that_failed_leaves_no_half_default_behind() -> None:
    with isolated():
        with pytest.raises(NameNotProvided):
            SubscribeTo("Nothing").run()
        probe = Probe()
        Pipeline(Feeder([1]), probe).run()
        assert probe.messages == [1]


def test_rule_25_activated_and_never_run_warns_at_exit() -> None:
    done = run_script("Pipeline(Says(), Says()).activate(); say('ready')")
    assert done.code == 0
    assert "never run" in done.err
    assert "Pipeline" in done.err


def test_rule_25_the_testing_kit_isolates() -> None:
    done = run_script(
        """
        from axonlike.testing import isolated
        with isolated():
            Says().activate()
        say("ready")
        """
    )
    assert (done.code, done.err) == (0, "")


def test_row_23_nested_run_is_a_clear_error_or_works_with_a_scheduler_of_its_own() -> None:
    class Nests(Component):
        text = ""

        def main(self) -> Generator[Any, Any, None]:
            yield
            try:
                run(Feeder([1]))
            except UsageError as exc:
                self.text = str(exc)

    nests = Nests()
    run_virtual(nests)
    assert "runs already" in nests.text


def test_row_23_run_from_a_thread_that_is_not_the_main_one() -> None:
    probes = [Probe(), Probe()]
    pipelines = [Pipeline(Feeder(range(100)), probe) for probe in probes]
    threads = [threading.Thread(target=run, args=(pipeline,)) for pipeline in pipelines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [probe.messages for probe in probes] == [list(range(100))] * 2


def test_row_23_two_schedulers_share_nothing() -> None:
    outer, inner = Probe(), Probe()

    class RunsAnother(ThreadedComponent):
        def main(self) -> None:
            Scheduler(watchdog_s=None).run(Backplane("Events"), Pipeline(Feeder([1, 2]), inner))
            self.send("done")

    run_virtual(Backplane("Events"), Pipeline(RunsAnother(), outer))
    assert (inner.messages, outer.messages) == ([1, 2], ["done"])


def test_row_23_a_part_belongs_to_one_scheduler() -> None:
    feeder = Feeder([PAUSE(0.01)])
    first, second = Scheduler(watchdog_s=None), Scheduler(watchdog_s=None)
    first.activate(feeder)
    with pytest.raises(UsageError, match="belongs to another scheduler"):
        second.activate(feeder)
    first.run()
    with pytest.raises(UsageError, match="has ended and cannot run again"):
        second.activate(feeder)


def test_run_async_in_a_program_of_asyncio() -> None:
    probe = Probe()

    async def program() -> None:
        with isolated():
            await asyncio.gather(run_async(Pipeline(Feeder(range(10)), probe)), asyncio.sleep(0.01))

    asyncio.run(program())
    assert probe.messages == list(range(10))
