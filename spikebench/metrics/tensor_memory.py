"""Peak memory of one launch as torch's allocator counts it: tensors alone, and the same number in every process."""

from spikebench.metric import Running, Unavailable
from spikebench.sampling import allocated

unit = "B"
process = "memory"


def sample(running: Running) -> list[float]:
    """Bytes of tensors beyond what was there before the second launch, at their peak.

    `peak_memory` has what the process holds, with pages that are used in part and what is no tensor. It says what a machine
    needs, and scatters. This one says what the computation keeps, and is exact. Of a module of somebody else it is
    unavailable, because that may hold memory that is not torch's.
    """
    work = running.workload
    if work.case.parsed.foreign:
        raise Unavailable("a foreign module may hold memory that is not torch's: take peak_memory")
    return [float(allocated.peak(work.launch, work.case.device))]
