"""Wall-clock time of the backward pass alone, the gradient given: the forward pass before it is not timed."""

import gc

from spikebench.metric import Running, Unavailable, warm_up

unit = "s"
process = "timing"
SETTLE = 0.01  # seconds of training steps before a sample, after other processes had their turn


def sample(running: Running) -> list[float]:
    """Seconds per backward pass, of a network without its optimiser; every sample has a forward pass of its own before it,
    and a new input and a new gradient.

    One process has both passes, so nothing is subtracted from anything. Samples are as many as of the latency, and like
    its samples they are interleaved with those of other processes. Python's cycle collector does not
    run inside them.
    """
    clock, plan, work = running.clock, running.plan, running.workload
    if work.case.mode != "train":
        raise Unavailable(f"a backward pass belongs to mode train, not {work.case.mode}")
    if work.case.parsed.scheme:
        raise Unavailable("a scheme decides when it computes backward: the time of its whole step is latency")
    gc.collect()
    gc.disable()

    def step() -> None:
        work.forward()()

    slow = min(warm_up(step, clock, plan)) > plan.slow
    samples: list[float] = []
    count = plan.fewest if slow else plan.samples
    if running.watch:
        running.watch.expects(count)
    for _ in range(count):
        if running.turn:
            running.turn()
        if slow:
            gc.collect()
        samples.append(running.backward(SETTLE if running.turn and not slow else 0.0))
    gc.enable()
    if running.watch:
        running.watch.rest()
    running.detail |= {"clock": clock.name, "interleaved": running.turn is not None}
    return samples
