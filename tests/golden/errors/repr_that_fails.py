class Frame:
    def __repr__(self):
        raise ValueError("not yet decoded")


run(Pipeline(Feeder([Frame()]), step(len, name="length")))
