class Radio(Component):
    Inboxes = {"tune": "a frequency in MHz"}

    def main(self):
        while True:
            box = yield self.wait()
            if box == "tune":
                self.frequency_mhz = float(self.recv("tune"))
            else:
                self.recv()


run(Graphline(IQ=Feeder([b"iq"]), KNOB=Feeder(["88.8", "eighty"]), RADIO=Radio(), links="IQ -> RADIO; KNOB -> RADIO.tune"))
