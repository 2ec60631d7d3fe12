run(Pipeline(Feeder(["0123456789" * 100]), step(int), step(lambda n: n["x"])))
