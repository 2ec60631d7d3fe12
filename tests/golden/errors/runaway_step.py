class Flood(Component):
    def main(self):
        while True:
            self.send("x")
        yield


run(Pipeline(Flood(), Probe(), limit=5))
