"""A feedback loop: a thermostat switches a heater by the temperature that the heater makes.

    python examples/feedback_loop.py

Two components feed each other. Links may run in circles: the boxes between the two keep them apart.
"""

from axonlike import Component, Graphline


class Room(Component):
    """Warms up by 2 degrees a minute while the heater is on, and cools down by 1 degree while it is off."""

    Inboxes = {"heater": "'on' or 'off'"}
    Outboxes = {"temperature": "degrees, once a minute"}

    def main(self):
        temperature_c = 15
        for minute in range(12):
            print(f"minute {minute:2}: {temperature_c} degrees")
            self.send(temperature_c, "temperature")
            yield self.wait("heater")
            temperature_c += 2 if self.recv("heater") == "on" else -1


class Thermostat(Component):
    """Heats below 18 degrees and stops above 21."""

    Inboxes = {"temperature": "degrees"}
    Outboxes = {"heater": "'on' or 'off'"}

    def main(self):
        heater = "off"
        while True:
            yield self.wait("temperature")
            for temperature_c in self.inbox("temperature"):
                wanted = "on" if temperature_c < 18 else "off" if temperature_c > 21 else heater
                if wanted != heater:
                    print(f"           heater {wanted}")
                heater = wanted
                self.send(heater, "heater")


Graphline(
    room=Room(),
    thermostat=Thermostat(),
    links="room.temperature -> thermostat.temperature; thermostat.heater -> room.heater",
).run()
