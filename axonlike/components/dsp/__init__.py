"""Processing of sampled signals. Needs numpy and scipy: ``pip install "axonlike[signals]"``."""

from typing import TYPE_CHECKING

from axonlike.late import loaded_late

if TYPE_CHECKING:
    from axonlike.components.dsp.block import Block

__getattr__ = loaded_late(__name__, {"block": "Block"})

__all__ = ["Block"]
