class Opens(Component):
    def main(self):
        self.file = open("/nowhere/at/all")
        yield


run(Pipeline(Opens(), Probe()))
