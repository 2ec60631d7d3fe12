from pathlib import Path

from axonlike import Graphline, run
from axonlike.components.ui import Button, Display, Image
from axonlike.components.util import Chooser

pictures = Path(__file__).parent.parent / "pictures"

run(
    Display((440, 280), "Pictures"),
    Graphline(
        back=Button("Back", key="left", message="PREV"),
        next=Button("Next", key="right", message="NEXT"),
        which=Chooser([pictures / "ticker.png", pictures / "chat_window.png", pictures / "buttons.png"]),
        shown=Image(),
        links="back -> which; next -> which -> shown",
    ),
)
