"""A fast producer, a slow consumer, and a box of five between them.

    python examples/bounded_producer_consumer.py

First the box holds the producer back, so nothing is lost and memory does not grow; neither of the two has a line of
code for that. Then the same two with a box that drops its oldest message instead: the consumer gets what is new, and
what was dropped is counted.
"""

from axonlike import Component, Pipeline


class Producer(Component):
    def main(self):
        for number in range(1, 21):
            self.send(number)
            yield
        print("  the producer has sent all 20")


class Consumer(Component):
    def __init__(self):
        self.most_waiting = 0
        self.taken = []

    def main(self):
        while True:
            yield self.wait("inbox")
            self.most_waiting = max(self.most_waiting, self.data_ready("inbox"))
            self.taken.append(self.recv("inbox"))
            for _turn in range(9):
                yield  # slow: nine turns for each message, where the producer needs one


for policy in ("block", "drop_oldest"):
    print(f"a box of five that, when it is full, does this: {policy}")
    consumer = Consumer()
    Pipeline(Producer(), consumer, limit=5, policy=policy).run()
    (box,) = consumer.statistics()
    print(f"  the consumer has taken {len(consumer.taken)}, the last of them {consumer.taken[-1]}")
    print(f"  at most {consumer.most_waiting} waited in the box, {box.dropped} were dropped")
