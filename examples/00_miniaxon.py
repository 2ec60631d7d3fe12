"""MiniAxon: the whole idea of axonlike in one file that imports nothing.

    python examples/00_miniaxon.py

Read it from top to bottom. Every step runs before the next begins, and prints what it shows.
"""

print("1. A generator is a function that can be put aside")


def count(name, to):
    for number in range(1, to + 1):
        print(f"   {name} {number}")
        yield  # put me aside here; all my variables stay as they are


mary, paul = count("mary", 2), count("paul", 3)
for body in (mary, paul, mary):
    next(body)  # go on, up to your next yield

print("2. A scheduler gives each of them a turn, so that they all run at once, without threads")


def scheduler(*bodies):
    ready = list(bodies)
    while ready:
        body = ready.pop(0)
        if next(body, "ended") != "ended":
            ready.append(body)
        yield  # a scheduler is a generator too: one may stand inside another


def run(*bodies):
    for _turn in scheduler(*bodies):
        pass


run(count("anna", 2), count("otto", 3))

print("3. A component is such a body with boxes. It sends to its own boxes, and knows nobody else")


class Box:
    """Messages in a row. A box that leads to another one hands them on at once."""

    def __init__(self):
        self.messages = []
        self.leads_to = None

    def end(self):
        return self.leads_to.end() if self.leads_to else self


class Component:
    limit = 3  # a box with so many messages is full

    def __init__(self):
        self.boxes = {name: Box() for name in ("inbox", "control", "outbox", "signal")}

    def send(self, message, box="outbox"):
        self.boxes[box].end().messages.append(message)

    def recv(self, box="inbox"):
        return self.boxes[box].messages.pop(0)

    def data_ready(self, box="inbox"):
        return len(self.boxes[box].messages)

    def held_back(self):
        """Is its receiver's box full? Then it gets no turn: nobody can drown a slower neighbour."""
        outbox = self.boxes["outbox"]
        return outbox.leads_to is not None and len(outbox.end().messages) >= self.limit

    def finished(self):
        """Has everybody before it ended? Only with an empty inbox: the end never overtakes data."""
        return self.data_ready("control") and not self.data_ready("inbox")

    def main(self):
        yield  # each kind of component says here what it does

    def life(self):
        for _turn in self.main():
            yield
            while self.held_back():
                yield
        self.send("producer finished", "signal")


class Numbers(Component):
    def main(self):
        for number in range(1, 6):
            print(f"   number {number}")
            self.send(number)
            yield


class Show(Component):
    def main(self):
        while not self.finished():
            if self.data_ready():
                print(f"   {' ' * 12}{self.recv()!r} is shown")
            yield


numbers, show = Numbers(), Show()
run(numbers.life())
print(f"   nobody fetched them: outbox = {numbers.boxes['outbox'].messages}")

print("4. A link makes one component's outbox lead to another's inbox")


def link(source, outbox, sink, inbox):
    source.boxes[outbox].leads_to = sink.boxes[inbox]


numbers = Numbers()
link(numbers, "outbox", show, "inbox")
link(numbers, "signal", show, "control")
run(numbers.life(), show.life())

print("5. A pipeline links its parts in a row, and is a component itself")


class Pipeline(Component):
    def __init__(self, *parts):
        super().__init__()
        self.parts = parts
        for left, right in zip(parts, parts[1:]):
            link(left, "outbox", right, "inbox")
            link(left, "signal", right, "control")
        for inward, outward in ("inbox", "outbox"), ("control", "signal"):
            link(self, inward, parts[0], inward)
            link(parts[-1], outward, self, outward)

    def life(self):
        yield from scheduler(*(part.life() for part in self.parts))


class Square(Component):
    def main(self):
        while not self.finished():
            while self.data_ready():
                self.send(self.recv() ** 2)
            yield


run(Pipeline(Numbers(), Pipeline(Square(), Square()), Show()).life())

print("6. That is all. axonlike adds what months of running need: sleep in place of turns that find nothing,")
print("   sockets, threads, async def, errors with a name and a place, supervision, and a name to publish to")
