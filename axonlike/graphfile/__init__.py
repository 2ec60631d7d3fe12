"""Graph files: components with their settings, and the links between them, as TOML.

    links = ["DEVICE -> EVENTS"]

    [components.DEVICE]
    type = "SerialLines"
    port = "auto"

    [components.EVENTS]
    type = "PublishTo"
    name = "Events"

`read` looks at everything that can be judged without making a component, `build` makes them and links them. Neither
stops at the first mistake: each is a `Fault` with its place in the file and what to do. Values are data, never code;
what a file names (``type = "my_module:Class"``) is imported, so a graph file is to be trusted as a script is.
"""

from axonlike.graphfile.building import build
from axonlike.graphfile.reading import read
from axonlike.graphfile.spec import ComponentSpec, Fault, GraphFile, GraphFileError, GraphSpec, Link

__all__ = ["ComponentSpec", "Fault", "GraphFile", "GraphFileError", "GraphSpec", "Link", "build", "read"]
