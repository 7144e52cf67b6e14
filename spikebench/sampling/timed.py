"""Sees to it that what is timed is computed: launches get inputs that nobody could foresee, and what they give is kept.

It works beside the subject, outside of what the clock sees. `verify/judged.py` compares what was kept with the definition.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from spikebench.host.clock import of_thread
from spikebench.loading.subject import definition_of
from spikebench.metric import Again, Measure, Running
from spikebench.sampling.pages import Pages, copied, numel, raw
from spikebench.verify.evidence import Choice, Draw, Event, Evidence, Kept, call_number, compared_of, drawn_here, number
from spikebench.verify.form import memory_of, misformed
from spikebench.verify.snapshot import Snapshot, shadowed
from spikebench.workloads.layer import Given, Launches, Workload, current, noise
from spikebench.workloads.renewal import Renewal

SMALL = 2**18  # values of all outputs of a sample that are copied at once, before anything else happens
PAUSE = 1e-4  # seconds after a sample that are left to a thread which waits for the interpreter
BEYOND = 5e-4  # seconds that this may take longer
STALL, FEW = 0.1, 4  # seconds that a virtual machine may stand still; pauses from which on one of four is forgiven


class Values(Protocol):
    """Values that a seed names, to be written into a tensor."""

    def write(self, into: Tensor, seed: bytes) -> None:
        """Write the values that `seed` names."""
        ...


@dataclass
class Place:
    """An input tensor, and the work on it."""

    x: Tensor
    launches: Launches


class Timed:
    """The watch over the timed launches of a layer; that of a network derives from it.

    Before every sample new values are written into the input, from a seed that the parent draws then. All that the launches
    of the sample give is held. When the clock has stopped, the parent is told what it read, and draws which launches are
    compared, and which series of what they took and gave. These are copied, and the parent gets their digest, before the
    subject can run again.
    """

    def __init__(
        self,
        work: Workload,
        running: Running,
        draw: Draw = drawn_here,
        tell: Callable[[str], None] | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        """`draw` asks the parent for a seed, `tell` tells it a digest; `snapshot` knows the clocks as they were before."""
        assert work.on is not None
        self.work, self.running, self._on, self._kind = work, running, work.on, type(running.clock)
        self._place = Place(work.x, work.on(work.x))
        self._spare: Place | None = None
        self._given: Given | None = None
        self._draw, self._tell, self._changed = draw, tell, snapshot.changed_now if snapshot else lambda: None
        # seconds that pauses took too long: after launches, and before
        self._beyond, self._idle = list[float](), list[float]()
        self._pages, self._kept, self._has_whole = Pages(), list[tuple[object, ...]](), False
        self._prepare()

    def _prepare(self) -> None:
        work, running = self.work, self.running
        assert work.mean is not None
        self._x: Values = Renewal(work.x, work.mean, 0.5)
        self._g: Values = Renewal(work.g, 0.0, 1.0)
        neuron = None if work.case.parsed.foreign else definition_of(work.module)
        samples, coupled = running.plan.samples, neuron is not None and neuron.coupled
        steps, batch, width = work.x.shape
        self._choice = Choice(steps, batch, width, coupled, samples)
        self._left = samples
        self.evidence = Evidence(steps, batch, width, compared=not work.case.parsed.foreign)

    def expects(self, count: int) -> None:
        """So many samples follow; one of them is kept as a whole, if none was yet."""
        self._left = count

    def sample(self, measure: Measure, group: int, settle: float, short: bool = False) -> float:
        """Seconds of a launch, the mean of `group`, on an input that was never there before the sample.

        What is written by one core is cold to the others. Launches that are `short` settle on the new input, and `again` tells
        whether they keep results of it; others settle on another one.
        """
        place = self._place
        self._idled()
        seed = self._renew(place.x, self._x, "sample")
        gradient_seed = self._renew(self.work.g, self._g, "gradient") if self.work.case.mode == "train" else ""
        self._settle(settle, place if short else None)
        whole, given = place.launches.whole, list[Given]()
        taken, note, keep = self._taken, self._note, self._keep  # what the subject puts in their place is not asked
        count = group  # no variable of `launches`, which the subject can reach
        self._name_noise(seed)

        def launches() -> None:
            for _ in range(group):
                given.append(whole())

        seconds = measure(launches) / count
        kept = taken(given)
        event = note("latency", count, len(kept))
        keep(kept, call_number(seed), (seed, gradient_seed), event)
        return seconds

    def again(self, measure: Measure, settle: float, count: int) -> list[Again]:
        """Seconds of single launches: each on a new input, and on the same values and the same noise written once more.

        Both find the caches alike, and a core that has just worked, on an input that is never sampled. The second writing
        does not count as a change of the tensor, so that what is kept under its version is found. All that they give is
        compared, too.
        """
        place, found = self._place, list[Again]()
        seeds = ("", self._renew(self.work.g, self._g, "gradient") if self.work.case.mode == "train" else "")
        for _ in range(count):
            seconds: list[float] = []
            for repeated in (False, True):
                if repeated:
                    self._draw(what="rest")  # so that both wait for the parent
                    self._x.write(place.x.data, bytes.fromhex(seeds[0]))
                else:
                    seeds = self._renew(place.x, self._x, "input"), seeds[1]
                self._settle(settle)
                self._name_noise(seeds[0])
                given = list[Given]()
                seconds.append(self._on_a_core(measure, lambda given=given: given.append(place.launches.whole())))
                self._keep(self._taken(given), call_number(seeds[0]), seeds)
            found.append((seconds[0], seconds[1]))
        return found

    def _on_a_core(self, measure: Measure, call: Callable[[], object]) -> float:
        """Seconds of a call, without those in which a CPU's work waited for a core: some launches fall into such waits always.

        It may have waited between the readings and the call, too, for as long as that took: what is taken off is the least.
        """
        clock = self.running.clock
        start, before = clock.now(), queued()
        seconds = measure(call)
        waited, beside = queued() - before, clock.now() - start - seconds
        return max(seconds - max(0.0, waited - beside), clock.resolution) if clock.grouped else seconds

    def backward(self, measure: Measure, settle: float) -> float:
        """Seconds of a backward pass. Its gradient is written after the forward pass, which could compute with it otherwise.

        Labels are written before, because the loss needs them; nobody knows the gradient that they give.
        """
        place, late = self._place, self.work.g.is_floating_point()
        self._idled()
        seed = self._renew(place.x, self._x, "sample")
        gradient_seed = "" if late else self._renew(self.work.g, self._g, "gradient")
        self._settle(settle)
        self._name_noise(seed)
        spikes, back = place.launches.halves()
        gradient_seed = gradient_seed or self._renew(self.work.g, self._g, "gradient")
        given, taken, note, keep = list[Given](), self._taken, self._note, self._keep
        seconds = measure(lambda: given.append((spikes, back())))
        kept = taken(given)
        event = note("backward", 1, len(kept))
        keep(kept, call_number(seed), (seed, gradient_seed), event)
        return seconds

    def _taken(self, given: list[Given]) -> list[Given]:
        """What launches gave: where it is small, a copy that is made before anything is asked of it.

        Another thread may run only after that, and is waited for.
        """
        small = self._small(given)
        parts = [(spikes, *gradients) for spikes, gradients in given] if small else []
        first = [[raw(part) for part in one] for one in parts]
        wrong = self._misformed(given)
        pairs = [] if wrong else [zip(*both, strict=True) for both in zip(parts, first, strict=True)]
        copies = [[None if part is None else copied(part, taken) for part, taken in pair] for pair in pairs]
        over, worked = self._paused()
        self._beyond.append(min(over, worked))
        self._hold(given[-1])
        if wrong:
            self.evidence.say(f"a timed launch {wrong}")
        made = [[copy and copy() for copy in one] for one in copies]
        return [(cast(Tensor, one[0]), tuple(one[1:])) for one in made] if made else given

    def _idled(self) -> None:
        """Note how much longer a pause takes that no launch was before, but for what other threads of this process do in it."""
        over, worked = self._paused()
        self._idle.append(max(0.0, over - worked))

    def _paused(self) -> tuple[float, float]:
        """How much longer than PAUSE a pause took, and the CPU seconds of other threads in it."""
        read = self.running.clock.now
        before, worked = read(), others_worked()
        time.sleep(PAUSE)
        return max(0.0, read() - before - PAUSE), others_worked() - worked

    def _small(self, given: list[Given]) -> bool:
        """Whether all of it is copied: soon a thread could compute it."""
        return sum(numel(spikes) for spikes, _ in given) <= SMALL

    def _outlasted(self) -> None:
        """Say so where launches went on after they had returned, as a thread does that waits for the interpreter.

        A busy machine delays whoever sleeps, and threads of OpenMP spin on for a while after every launch. So a pause after
        a launch is held against those before, in which nothing was left to do.
        """
        beyond, self._beyond, idle, self._idle = sorted(self._beyond), [], sorted(self._idle), []
        latency = self.running.medians.get("latency", 0.0)
        usual = (idle[3 * len(idle) // 4] if idle else 0.0) + (STALL if len(beyond) < FEW else 0.0)
        if beyond and latency and beyond[len(beyond) // 4] > latency / 2 + BEYOND + usual:
            self.evidence.say("a timed launch goes on after it has returned")

    def _note(self, metric: str, group: int, count: int) -> Event | None:
        """What the clock read, and whether clocks, judges and the number of launches are what they were."""
        clock, changed = self.running.clock, self._changed()
        name = changed or shadowed(clock, self, self._x, self._g)
        name = name or (None if count == group else "how many launches a sample has")
        if name := name or ("the clock's class" if type(clock) is not self._kind else None):
            self.evidence.say(f"the subject changed {name}")
        events = getattr(clock, "last", None)
        return Event(metric, group, *events) if events else None

    def rest(self) -> None:
        """Look once more at what is held, after another launch, and give the workload its own input back."""
        case, held, place = self.work.case, self._given, self._place
        self._outlasted()
        if held is not None and not self.evidence.wrong:
            count = self.work.x[0].numel()
            seed = self._draw(what="rest")
            index = torch.tensor([number(seed, str(i), count) for i in range(32)], device=self.work.x.device)
            before = Kept.of(held, index, 0, "", "", False)
            self._renew(place.x, self._x, "input")
            self.running.last_output = place.launches.launch()
            if not before.still(*held):
                self.evidence.say("what a timed launch gave changed while it was held and another was computed")
        assert self.work.mean is not None
        with torch.no_grad():
            self.work.x.copy_(current(case, self.work.mean))
            self.work.g.copy_(noise(case, case.T, stream=1))
        self.running.last_output = self._given = None
        self._spare = None

    def _name_noise(self, seed: str) -> None:
        """Give the noise of the next forward calls the name that belongs to an input."""
        self.work.call_number(call_number(seed))

    def _renew(self, tensor: Tensor, values: Values, what: str) -> str:
        seed = self._draw(what=what)
        values.write(tensor, bytes.fromhex(seed))
        return seed

    def _beside(self) -> Place:
        """An input that is never sampled, on which launches warm up the caches."""
        if self._spare is None:
            x = torch.empty_like(self.work.x.detach())
            self._x.write(x, bytes.fromhex(drawn_here()))
            self._spare = Place(x, self._on(x))
        return self._spare

    def _settle(self, seconds: float, place: Place | None = None) -> None:
        """Launches for some seconds, on an input that is never sampled if no other is named."""
        spent, measure = 0.0, self.running.clock.measure
        while spent < seconds:
            place = place or self._beside()
            spent += measure(place.launches.launch)

    def _keep(self, given: list[Given], call: int, seeds: tuple[str, str], event: Event | None = None) -> None:
        """Copy what the parent draws now out of what launches gave. `call` names the noise of the first of them."""
        if self._noted(event, seeds[0]):
            return
        seed = self._draw(what="launch", event=event and list(vars(event).values()))
        if self.evidence.compared:
            self._copy(given, call, seeds, seed, sampled=event is not None)

    def _hold(self, given: Given) -> None:
        """Hold what a launch gave, without its graph, whose memory the next launch takes."""
        self.running.last_output, self._given = given[0].detach(), (given[0].detach(), given[1])

    def _misformed(self, given: list[Given]) -> str | None:
        """What is wrong at first sight with what launches gave; all that are held have memory of their own."""
        case, held = self.work.case, self.running.last_output
        cast, sent = getattr(case, "autocast", None), case.parsed.all_how.get("spikes")
        for spikes, gradients in given:
            wrong = misformed(spikes, self.work.x, held, cast, sent)
            wrong = wrong or next((w for g in gradients if g is not None and (w := misformed(g))), None)
            if wrong:
                return wrong
            held = spikes
        places = [memory_of(spikes) for spikes, _ in given]
        return None if len(set(places)) == len(places) else "gives the memory of an output that is still held"

    def _noted(self, event: Event | None, seed: str) -> bool:
        """Note what the clock read of a sample and the seed of its input; whether something is wrong already."""
        if event is not None:
            self.evidence.events.append(event)
            self.evidence.seeds.append(seed)
        return self.evidence.wrong is not None

    def _copy(self, given: list[Given], call: int, seeds: tuple[str, str], seed: str, sampled: bool) -> None:
        """Copy the series of the launches that a seed names, and tell the parent their digests."""
        choice, chosen = self._choice, False
        if sampled:
            chosen = not self._has_whole and not number(seed, "whole", max(1, self._left))
            self._left -= 1
        whole, learned = chosen and choice.may_be_whole, chosen and not choice.coupled and len(given[-1][1]) > 1
        places = [] if choice.skips(seed) else compared_of(seed, len(given))
        few = choice.index(seed, sampled, len(places))
        for place in places or [len(given) - 1] * whole:
            last = place == len(given) - 1
            index = torch.arange(choice.batch * choice.width) if whole and last else few
            kept = Kept.of(
                given[place], index.to(self.work.x.device), call + place, *seeds, whole and last, learned and last
            )
            if self._tell:
                self._tell(kept.digest)
            if learned and last and not whole:
                self._less(kept)
            self._kept.append(self._pages.put_kept(kept))
        self._has_whole = self._has_whole or whole or learned

    def _less(self, kept: Kept) -> None:
        """What the same launch learns when only the series that were kept have another output gradient."""
        assert isinstance(self._g, Renewal)
        work, kept.less_seed = self.work, self._draw(what="rest")
        places = torch.arange(len(work.g), device=kept.index.device)[:, None] * work.g[0].numel() + kept.index
        with torch.no_grad():
            work.g.view(-1)[places.flatten()] = self._g.at(places, bytes.fromhex(kept.less_seed)).flatten()
        work.call_number(kept.call)
        kept.less = [None if v is None else v.detach().clone() for v in self._place.launches.whole()[1][1:]]

    def finished(self, inputs: bool = True) -> Evidence:
        """What was kept, with the inputs, if nobody else makes these anew."""
        x, g = self._x, self._g
        self.evidence.kept = [self._pages.get_kept(values) for values in self._kept]
        if inputs and isinstance(x, Renewal) and isinstance(g, Renewal):
            for kept in self.evidence.kept:
                kept.complete(self.work.x.shape, x, g)
        return self.evidence


def others_worked() -> float:
    """CPU seconds that all threads of this process but the calling one have worked so far."""
    return time.process_time() - time.thread_time()


def queued() -> float:
    """Seconds that the calling thread has waited for a core so far, less what the others of its process worked meanwhile."""
    return of_thread("thread-self")[1] - others_worked()
