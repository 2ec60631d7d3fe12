"""General components: the console, sources and sinks, functions as components, times and rates, fan-out."""

from axonlike.components.util.chooser import Chooser
from axonlike.components.util.clocks import Every, Tick, Ticks
from axonlike.components.util.console import ConsoleEchoer, ConsoleReader
from axonlike.components.util.descriptors import DescriptorComponent, Ready
from axonlike.components.util.rates import Latest, RateLimit
from axonlike.components.util.sinks import Collect, Null
from axonlike.components.util.sources import DataSource, OneShot
from axonlike.components.util.splitter import Splitter
from axonlike.components.util.transforms import Filter, PassThrough, Tap, Transform

__all__ = [
    "Chooser",
    "Collect",
    "ConsoleEchoer",
    "ConsoleReader",
    "DataSource",
    "DescriptorComponent",
    "Every",
    "Filter",
    "Latest",
    "Null",
    "OneShot",
    "PassThrough",
    "RateLimit",
    "Ready",
    "Splitter",
    "Tap",
    "Tick",
    "Ticks",
    "Transform",
]
