from axonlike import Graphline
from axonlike.components.ui import Keys, Ticker

Graphline(
    steer=Keys({"up": "faster", "down": "slower", "left": "turn left", "right": "turn right", "space": "brake"}),
    horn=Keys({"h": "horn on"}, released={"h": "horn off"}),
    told=Ticker(height=150),
    links="steer -> told; horn -> told",
).run()
