from axonlike import Component, run


class Stubborn(Component):
    def main(self):
        try:
            yield self.sleep(100)
        finally:
            yield self.sleep(1)


class Ends(Component):
    def main(self):
        yield self.sleep(1)
        assert self.scheduler is not None
        self.scheduler.stop()


run(Stubborn(), Ends())
