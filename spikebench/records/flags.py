"""Flags say what may mislead in a record or its samples, from which threshold on, and what to do about it.

A record holds the names of its flags. Those of samples are not recorded: they are computed from the samples when they are shown.
"""

from enum import StrEnum


class Flag(StrEnum):
    """A flag: its name, what it means, what to do, and the share or count from which it is raised.

    `passing` says that another try may not have it: `--strict` measures such a record again.
    """

    meaning: str
    remedy: str
    threshold: float
    passing: bool

    def __new__(cls, name: str, meaning: str, remedy: str, threshold: float = 0.0, passing: bool = False) -> "Flag":
        made = str.__new__(cls, name)
        made._value_ = name
        made.meaning, made.remedy = meaning.format(threshold=threshold), remedy.format(threshold=threshold)
        made.threshold, made.passing = threshold, passing
        return made

    UNGATED = (
        "ungated",
        "no definition was compared with the subject, so its figures support no claim",
        "gate it with --like ID",
    )
    OFF_RATE = (
        "off_rate",
        "the output spike rate is more than {threshold:g} times away from the one that the input aims at",
        "compare only equal rates",
        3.0,
    )
    CONTENDED = (
        "contended",
        "other processes used more than {threshold:.0%} of a core",
        "measure again on a quiet machine",
        0.2,
        True,
    )
    STOLEN = (
        "stolen",
        "the host took more than {threshold:.0%} of a core from this machine",
        "measure again when it is quiet",
        0.02,
        True,
    )
    SHARED_GPU = ("shared_gpu", "other processes were on the GPU", "measure again alone", 0, True)
    SHARED = (
        "shared",
        "others use the machine, too, and nothing here can see how much, as on a hosted notebook",
        "quote ratios of pairs only, and measure again on a machine of your own",
    )
    THROTTLED = (
        "throttled",
        "the GPU was held down, or slower than {threshold:.0%} of its top clock",
        "let it cool, or fix its clock",
        0.8,
        True,
    )
    HOST_BOUND = (
        "host_bound",
        "the host works on a launch for {threshold:.0%} of its time",
        "read device_time: a faster kernel changes that, and not what is waited for",
        0.9,
    )
    UNSTEADY = (
        "unsteady",
        "spread, drift or load stayed too large in {threshold:g} tries",
        "measure on a quieter machine",
        3,
    )
    BIMODAL = (
        "bimodal",
        "a median exceeds {threshold:g} times its minimum, so that the samples fall into groups",
        "inspect them before you use the median",
        2.0,
        True,
    )
    CHANGED_THREADS = (
        "changed_threads",
        "the subject changed the number of threads, so that it is not comparable with the others",
        "leave torch.set_num_threads alone in it",
    )
    REPLAYED = (
        "replayed",
        "a launch took more than {threshold:g} times as long on a new input as on the one that was there before",
        "take out of the subject what keeps results from call to call",
        1.5,
    )
    SILENCED = (
        "silenced",
        "a neuron would have fired more often in a sample than its scheme computes, and was silent for the rest of it",
        "give the scheme a larger max_spikes, or compare at a lower --rate",
    )
    COMPANY = (
        "company",
        "the subject has processes or threads of Python running beside it",
        "leave no process or thread running after a call",
    )
    MOVED = (
        "moved",
        "the subject changed the priority of its process or the cores that it may use",
        "leave both alone in it: every subject gets the same",
    )
    ASLEEP = (
        "asleep",
        "the process neither worked nor waited for a core in more than {threshold:.0%} of the time of its samples",
        "let the subject compute in its own process, and not wait for another one",
        0.5,
    )
    PRINTED = (
        "printed",
        "the subject printed more than {threshold:g} bytes, which takes time, and only the end was kept",
        "print nothing in a call",
        100_000,
    )
    DISTURBING = (
        "disturbing",
        "the process worked for more than {threshold:.0%} of the time in which others had their turn",
        "let its threads sleep when a call is over",
        0.2,
        True,
    )
    SAMPLES = (
        "samples",
        "fewer than {threshold:g} samples, too few to see a spread",
        "take at least --samples {threshold:g}",
        5,
    )
    SPREAD = (
        "spread",
        "the middle half of the samples spreads over more than {threshold:.0%} of their median",
        "stop what else is running",
        0.1,
        True,
    )
    DRIFT = (
        "drift",
        "the halves of the samples differ by more than {threshold:.0%} and by more than either spreads",
        "take more --samples where times fall, let the machine cool where they rise",
        0.05,
        True,
    )
    RESOLUTION = (
        "resolution",
        "a sample lasts fewer than {threshold:g} ticks of the timer",
        "measure a larger case",
        100,
    )
    FREQUENCY = (
        "frequency",
        "the CPU's clock changed by more than {threshold:.0%} while it was measured",
        "fix it (cpupower frequency-set -g performance)",
        0.05,
        True,
    )


OF_SAMPLES = (Flag.SAMPLES, Flag.SPREAD, Flag.DRIFT, Flag.RESOLUTION, Flag.FREQUENCY)


def told(name: str) -> str:
    """What a recorded flag means and what to do; empty for one that this version does not know."""
    flag = next((f for f in Flag if f == name), None)
    return f"{flag.meaning}: {flag.remedy}" if flag else ""
