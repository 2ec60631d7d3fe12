"""Components called from linear code: an ordinary program puts a message in and gets an answer out.

    python examples/calling_components.py

The components run in the background, in a thread of their own, while this program goes on from line to line. A Handle
is its end of one of them: put() waits while the inbox is full, get() until something comes. Both take a timeout, may be
called from any thread, and raise what went wrong in the components.
"""

from axonlike import Component, Handle, Pipeline, background, step


class RunningMean(Component):
    """Answers each number with the mean of all that have come so far."""

    def main(self):
        total, count = 0.0, 0
        while True:
            yield self.wait("inbox")
            for number in self.inbox():
                total += number
                count += 1
                self.send(total / count)


@step
def rounded(number):
    return round(number, 2)


running_mean = Pipeline(RunningMean(), rounded)

with background(running_mean), Handle(running_mean) as mean:
    for number in (3, 4, 9):
        mean.put(number)
        print(f"with {number} the mean is {mean.get(timeout=5)}")

    print("put five of them, then get five answers:")
    for number in range(5):
        mean.put(number)
    print([mean.get(timeout=5) for _ in range(5)])

    try:
        mean.get(timeout=0.1)
    except TimeoutError as reason:
        print(f"and nobody waits for ever: {reason}")
