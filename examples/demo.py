"""A whole notification system in one process: what `scripts/demo` and `axonlike demo` show.

    scripts/demo [--for SECONDS] [--port PORT] [--every SECONDS] [--unplug-after SECONDS]

A simulated serial device (behind a real pseudo-terminal) sends events. Machine A reads them and sends them to machine B
over TCP; machine B tells everybody who is connected: every event on one port, important and critical ones on the next
two. Its components stand in axonlike/cli/demo.py; as programs of their own they are notify_machine_a.py,
notify_machine_b.py and notify_by_priority.py.
"""

from axonlike.cli.demo import main

if __name__ == "__main__":
    main("scripts/demo")
