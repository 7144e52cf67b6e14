"""How the memory of a training step grows with the number of steps: its peak at every halving of T down to 8, in one process."""

import math

from spikebench.analysis import stats
from spikebench.metric import Running, Unavailable
from spikebench.sampling import allocated

unit = "B"
process = "memory"
SHORTEST, FEWEST = 8, 3


def sample(running: Running) -> list[float]:
    """Bytes of tensors beyond parameters and input at each length, the shortest first, as torch's allocator counts them.

    The detail has the `lengths`, and two slopes with their 95 % t intervals over them: `step`, bytes against T, and
    `doubling`, the share that a doubling of T adds. `most` is the upper end of the latter's interval.
    """
    work = running.workload
    if work.case.mode != "train" or work.on is None:
        raise Unavailable("it is the memory of training: take mode train")
    lengths = [work.case.T >> k for k in range(32) if work.case.T >> k >= SHORTEST][::-1]
    if len(lengths) < FEWEST:
        raise Unavailable(
            f"a slope takes {FEWEST} lengths of {SHORTEST} or more steps: take T = {SHORTEST << (FEWEST - 1)} or more"
        )
    peaks = [_peak(running, T) for T in lengths]
    step = stats.line(lengths, peaks)
    twice = stats.line([math.log2(T) for T in lengths], [math.log(max(p, 1.0)) for p in peaks])
    shares = [math.expm1(v) for v in (twice.slope, twice.low, twice.high)]
    running.detail |= {"lengths": lengths, "step": step.slope, "step_ends": [step.low, step.high]}
    running.detail |= {"doubling": shares[0], "doubling_ends": shares[1:], "most": shares[2]}
    return peaks


def _peak(running: Running, T: int) -> float:
    """Bytes of a launch on the first T steps of the input, in its second launch."""
    work = running.workload
    assert work.on is not None
    if work.g.is_floating_point():
        raise Unavailable("its output gradient has all steps: take a network with classes")
    return float(allocated.peak(work.on(work.x.detach()[:T]).launch, work.case.device))
