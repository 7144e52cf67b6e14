"""Sees to it that what is timed is computed: launches get inputs that nobody could foresee, and what they give is kept.

It works beside the subject, outside of what the clock sees. `verify/judged.py` compares what was kept with the definition.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spikebench.loading.subject import definition_of
from spikebench.metric import Measure, Running
from spikebench.verify.evidence import Event, Evidence, Kept
from spikebench.verify.form import misformed
from spikebench.verify.snapshot import Snapshot
from spikebench.workloads.layer import Given, Launches, Workload, current, noise
from spikebench.workloads.renewal import Renewal

SERIES, VALUES = 640, 2**20  # that are kept of all samples of a metric: at most so many series, and values of each kind
WHOLE = 2**20  # values of an output, of which one launch is kept as a whole


@dataclass
class Place:
    """An input tensor, and the work on it."""

    x: Tensor
    launches: Launches


class Timed:
    """The watch over the timed launches of a layer.

    Before every sample new values are written into the input, from a seed that the system draws then. After the clock has
    stopped, series that the system draws then are copied out of what one launch of the sample took and gave; of a group it
    may be any.
    """

    def __init__(
        self,
        work: Workload,
        running: Running,
        mark: Callable[[], None] | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        """`mark` tells the parent that a sample comes; `snapshot` knows the clocks as they were before the subject."""
        assert work.on is not None and work.mean is not None
        self.work, self.running, self._on = work, running, work.on
        self._x, self._g = Renewal(work.x, work.mean, 0.5), Renewal(work.g, 0.0, 1.0)
        self._place = Place(work.x, work.on(work.x))
        self._spare: Place | None = None
        self._given: Given | None = None
        neuron = None if work.case.parsed.foreign else definition_of(work.module)
        self._coupled = neuron is not None and neuron.coupled
        steps, batch, width = work.x.shape
        samples = max(1, running.plan.samples)
        self._each = max(2, min(SERIES, VALUES // steps) // samples)
        self._often = min(1.0, SERIES / (samples * width)) if self._coupled else 1.0
        self._may_be_whole = work.x.numel() <= WHOLE and (not self._coupled or batch * width <= SERIES)
        self._left, self._mark, self._snapshot = samples, mark, snapshot
        self.evidence = Evidence(steps, batch, width, compared=neuron is not None)

    def expects(self, count: int) -> None:
        """So many samples follow; one of them is kept as a whole, if none was yet."""
        self._left = count

    def sample(self, measure: Measure, group: int, settle: float, short: bool = False) -> float:
        """Seconds of a launch, the mean of `group`, on an input that was never there before the sample.

        What is written by one core is cold to the others. Launches that are `short` settle on the new input, and `again` tells
        whether they keep results of it; others settle on another one.
        """
        self._begin()
        place = self._place
        seed = self._renew(place.x, self._x)
        gradient_seed = self._renew(self.work.g, self._g) if self.work.case.mode == "train" else ""
        self._settle(settle, place if short else None)
        kept = group - 1 if _drawn(2) else _drawn(group)  # of the last one it shows whether it was finished
        launch, whole, running, given = place.launches.launch, place.launches.whole, self.running, list[Given]()
        call = self._call()

        def launches() -> None:
            for _ in range(kept):
                running.last_output = launch()
            given.append(whole())
            for _ in range(kept + 1, group):
                running.last_output = launch()

        seconds = measure(launches) / group
        self._note("latency", group)
        self._keep(given[0], call + kept, seed, gradient_seed)
        return seconds

    def again(self, measure: Measure, settle: float) -> tuple[float, float]:
        """Seconds of one launch on a new input, and of one more on the same."""
        self._renew(self._place.x, self._x)
        self._settle(settle)
        launch = self._place.launches.launch
        return measure(launch), measure(launch)

    def backward(self, measure: Measure, settle: float) -> float:
        """Seconds of a backward pass. Its gradient is written after the forward pass, which could compute with it otherwise."""
        self._begin()
        place = self._place
        seed, call = self._renew(place.x, self._x), self._call()
        self._settle(settle)
        self.work.call_number(call)
        spikes, back = place.launches.halves()
        gradient_seed, given = self._renew(self.work.g, self._g), list[tuple[Tensor | None, ...]]()
        seconds = measure(lambda: given.append(back()))
        self._note("backward", 1)
        self._keep((spikes, given[0]), call, seed, gradient_seed)
        return seconds

    def _begin(self) -> None:
        if self._mark:
            self._mark()

    def _note(self, metric: str, group: int) -> None:
        """What the clock read, and whether it is the clock that it was."""
        if self._snapshot and (name := self._snapshot.clocks_changed()):
            self.evidence.say(f"the subject changed {name}")
        if events := getattr(self.running.clock, "last", None):
            self.evidence.events.append(Event(metric, group, *events))

    def rest(self) -> None:
        """Look once more at what is held, after another launch, and give the workload its own input back."""
        case, held, place = self.work.case, self._given, self._place
        if held is not None and not self.evidence.wrong:
            count = self.work.x[0].numel()
            index = torch.tensor([_drawn(count) for _ in range(self._each)], device=self.work.x.device)
            before = Kept.of(held, index, 0, "", "", False)
            self._renew(place.x, self._x)
            self.running.last_output = place.launches.launch()
            if not before.still(*held):
                self.evidence.say("what a timed launch gave changed while it was held and another was computed")
        assert self.work.mean is not None
        with torch.no_grad():
            self.work.x.copy_(current(case, self.work.mean))
            self.work.g.copy_(noise(case, case.T, stream=1))
        self.running.last_output = self._given = None
        self._spare = None

    def _renew(self, tensor: Tensor, values: Renewal) -> str:
        seed = os.urandom(8)
        values.write(tensor, seed)
        return seed.hex()

    def _call(self) -> int:
        """Names the noise of the next forward calls: the number of the first of them."""
        number = 2**8 + _drawn(2**28)
        self.work.call_number(number)
        return number

    def _beside(self) -> Place:
        """An input that is never sampled, on which launches warm up the caches."""
        if self._spare is None:
            x = torch.empty_like(self.work.x.detach())
            self._renew(x, self._x)  # else it would tell the input that comes
            self._spare = Place(x, self._on(x))
        return self._spare

    def _settle(self, seconds: float, place: Place | None = None) -> None:
        """Launches for some seconds, on an input that is never sampled if no other is named."""
        spent, measure = 0.0, self.running.clock.measure
        while spent < seconds:
            place = place or self._beside()
            spent += measure(place.launches.launch)

    def _keep(self, given: Given, call: int, seed: str, gradient_seed: str) -> None:
        """Copy what the system draws now out of what a launch gave, before anything else happens."""
        spikes, gradients = given
        self.evidence.seeds.append(seed)
        wrong = misformed(spikes, self.work.x, self.running.last_output, getattr(self.work.case, "autocast", None))
        wrong = wrong or next((w for g in gradients if g is not None and (w := misformed(g))), None)
        if wrong:
            self.evidence.say(f"a timed launch {wrong}")
        elif self.evidence.compared:
            self._copy(given, call, seed, gradient_seed)
        train = bool(gradients)
        self.running.last_output = spikes.detach() if train else spikes
        self._given = (spikes.detach(), gradients)  # without the graph, whose memory the next launch takes

    def _copy(self, given: Given, call: int, seed: str, gradient_seed: str) -> None:
        evidence, (_, batch, width) = self.evidence, self.work.x.shape
        whole = self._may_be_whole and not evidence.has_whole and not _drawn(max(1, self._left))
        self._left -= 1
        if not whole and len(evidence.kept) > 1 and _drawn(2**16) >= self._often * 2**16:
            return
        if whole:
            index = torch.arange(batch * width)
        elif self._coupled:
            index = torch.arange(width) + width * _drawn(batch)
        else:
            index = torch.tensor([_drawn(batch * width) for _ in range(min(self._each, batch * width))])
        evidence.kept.append(Kept.of(given, index.to(self.work.x.device), call, seed, gradient_seed, whole))

    def finished(self) -> Evidence:
        """What was kept, with the inputs."""
        for kept in self.evidence.kept:
            kept.complete(self.work.x.shape, self._x, self._g)
        return self.evidence


def _drawn(count: int) -> int:
    """A number below `count`, drawn by the system."""
    return int.from_bytes(os.urandom(7), "little") % count
