from axonlike import Component, Graphline, run
from axonlike.testing import Feeder


class Radio(Component):
    Inboxes = {"tune": "a frequency in MHz"}

    def main(self):
        while True:
            box = yield self.wait()
            if box == "tune":
                self.frequency_mhz = float(self.recv("tune"))
            else:
                self.recv()


knob = Feeder(["88.8", "eighty"])
run(Graphline(IQ=Feeder([b"iq"]), KNOB=knob, RADIO=Radio(), links="IQ -> RADIO; KNOB -> RADIO.tune"))
