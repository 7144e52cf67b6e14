"""Sees to it that what is timed of a network is computed.

Nothing can be hooked inside a sample without being timed. So some numbers of what each timed launch gave are kept, of its
output and of every gradient. After the last sample launches that the parent draws are done again, on the input and the
noise that they had, with hooks on their layers. What they give must be what the timed launch gave, and what their layers
give must be what the definition says: see `verify/judged_network.py`. Who computes only where there are hooks gives
something else while timed, and who does not compute there either is wrong by the definition.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spikebench import scheme as schemes
from spikebench.cases.case import NetworkStep, expect
from spikebench.sampling.pages import Slot, numel
from spikebench.sampling.timed import Timed
from spikebench.verify import inside, scheme_gate
from spikebench.verify.chain import chain
from spikebench.verify.evidence import SERIES, VALUES, Again, Event, Evidence, call_number, chosen, compared_of, number
from spikebench.verify.form import misformed
from spikebench.workloads.layer import Given
from spikebench.workloads.renewal import Rolled

SMALL = 2**20  # numbers of all parts together, which are copied before anybody is asked what of them is kept
NUMBERS = 2048  # of each part that are kept
SECONDS = 0.05  # that launches are done again for, one in any case
MOST = 2**30  # bytes of what all layers get and give, above which only the layers that are compared are copied
OFTEN = 2  # how many times a launch that differs is done again


@dataclass(frozen=True)
class Launched:
    """A launch of which numbers were kept: which it was, the seeds of its input and labels, and that of their places.

    `before` launches came first on that input and that noise. `numbers` are where the pages have them.
    """

    number: int
    seeds: tuple[str, str]
    before: int
    drawn: int
    numbers: tuple[Slot | Tensor, ...]


class TimedNetwork(Timed):
    """The watch over the timed launches of a network."""

    def _prepare(self) -> None:
        work = self.work
        case = expect(work.case, NetworkStep)
        classes = 0 if work.g.is_floating_point() else case.named.sizes["classes"]
        self._x, self._g = Rolled(work.x), Rolled(work.g, classes)
        self._own = work.x.detach().clone(), work.g.clone()
        layers = inside.layers_of(work.module)
        self._states = [{k: v.detach().cpu().clone() for k, v in m.neuron.state_dict().items()} for m in layers]
        self._launched: list[Launched] = []
        self._count = 0
        steps, batch, width = work.x.shape
        self.evidence = Evidence(steps, batch, width, compared=bool(layers))

    def _name_noise(self, seed: str) -> None:
        """What torch draws belongs to the input, too."""
        super()._name_noise(seed)
        torch.manual_seed(call_number(seed))

    def _misformed(self, given: list[Given]) -> str | None:
        sent = self.work.case.parsed.all_how.get("spikes")  # where the last layer has neurons
        return next((w for one in given for part in parts_of(one) if (w := misformed(part, sent=sent))), None)

    def _small(self, given: list[Given]) -> bool:
        return sum(numel(part) for spikes, gradients in given for part in (spikes, *gradients[1:])) <= SMALL

    def _hold(self, given: Given) -> None:
        self.running.last_output = given[0].detach()

    def _keep(self, given: list[Given], call: int, seeds: tuple[str, str], event: Event | None = None) -> None:
        """Copy numbers that the parent draws now out of what launches gave."""
        if self._noted(event, seeds[0]):
            return
        seed = self._draw(what="launch", event=event and list(vars(event).values()))
        drawn = number(seed, "numbers", 2**53)
        for place in compared_of(seed, len(given)):
            parts = parts_of(given[place])
            numbers = taken(parts, places_of(parts, drawn))
            kept = tuple(map(self._pages.put, numbers))
            self._launched.append(Launched(self._count, seeds, call + place - call_number(seeds[0]), drawn, kept))
            self._count += 1
            if self._tell:
                self._tell(Again(0, [], numbers, []).digest)

    def rest(self) -> None:
        """Do launches again that the parent draws, and give the workload its own input back."""
        self._outlasted()
        if self._launched and not self.evidence.wrong:
            order = chosen(self._draw(what="chosen"), len(self._launched))
            typical = min((e.seconds for e in self.evidence.events), default=SECONDS)
            order = order[: max(1, int(SECONDS / max(typical, 1e-6)))]
            for place in order:
                self._do_again(self._launched[place], share=len(order), whole=place == order[0])
        self._launched = []
        with torch.no_grad():
            self.work.x.copy_(self._own[0])
            self.work.g.copy_(self._own[1])
        self.running.last_output = self._given = self._spare = None

    def _do_again(self, launched: Launched, share: int, whole: bool) -> None:
        """One launch again, with hooks; with `whole` also without the subject."""
        work, learns = self.work, self.work.case.mode == "train"
        which, small = inside.one_of_each(work.module), 4 * work.x.element_size() * _values(self) <= MOST
        whole = whole and small and bool(self._states)
        alone = schemes.owns_time(work.case.parsed)  # no layer is called with a whole sequence
        every = whole and not alone
        with inside.watching(work.module, None if every else which, getattr(work.case, "autocast", None)) as seen:
            given = self._launch(launched)
        if wrong := inside.faults(seen, learns):
            self.evidence.say(f"a timed launch that was done again: {wrong}")
            return
        parts = parts_of(given)
        numbers = taken(parts, places_of(parts, launched.drawn))
        made = Again(launched.number, self._names(), list(map(self._pages.get, launched.numbers)), numbers)
        made.spread, made.length = self._spread(launched, made), expect(work.case, NetworkStep).products
        if whole and alone:
            want = self._launch(launched, lambda: scheme_gate.defined(work, self._place.x))
            made.errors = scheme_gate.against(work, given, want)
        elif whole:
            made.errors = chain(work.module, given, seen, lambda: self._launch(launched))
            seen = [s for place, s in enumerate(seen) if place in which]
        self.evidence.again.append(made)
        each = max(2, min(SERIES, VALUES // len(work.x)) // (share * max(1, len(which))))
        pairs = [(s, n) for s, n in zip(seen, sorted(which), strict=not alone) if inside.repeatable(s.neuron)]
        self.evidence.layers += [inside.some(s, each, self._states[n]) for s, n in pairs]

    def _launch(self, launched: Launched, given: Callable[[], Given] | None = None) -> Given:
        """What the work gives on the input and the noise of a launch, or something else there."""
        place, (seed, gradient_seed) = self._place, launched.seeds
        self._x.write(place.x, bytes.fromhex(seed))
        if gradient_seed:
            self._g.write(self.work.g, bytes.fromhex(gradient_seed))
        self._name_noise(seed)
        for _ in range(launched.before):
            place.launches.launch()
        return (given or place.launches.whole)()

    def _spread(self, launched: Launched, made: Again) -> list[float]:
        """How far launches that are done again differ from each other, where they differ from the timed one at all.

        They have hooks, too: one that is wrong without them may not explain a timed one that is wrong.
        """
        if all(map(torch.equal, made.timed, made.again)):
            return [0.0] * len(made.timed)
        with inside.watching(self.work.module, ()):
            launches = (parts_of(self._launch(launched)) for _ in range(OFTEN))
            others = [taken(parts, places_of(parts, launched.drawn)) for parts in launches]
        pairs = list(itertools.combinations([made.again, *others], 2))
        return [max(float((a[k] - b[k]).abs().max()) for a, b in pairs) for k in range(len(made.timed))]

    def _names(self) -> list[str]:
        learned = [name for name, p in self.work.module.named_parameters() if p.requires_grad]
        return ["the output", *(f"the gradient of {name}" for name in learned)]


def _values(timed: Timed) -> int:
    """How many values one of the four tensors has that are copied of every layer."""
    steps, batch, _ = timed.work.x.shape
    return steps * batch * timed.work.case.gated.N * max(1, len(inside.layers_of(timed.work.module)))


def parts_of(given: Given) -> list[Tensor]:
    """The output, and every gradient; one that is not there is a zero."""
    out, gradients = given
    return [out, *(out.new_zeros(1) if v is None else v for v in gradients[1:])]


def places_of(parts: list[Tensor], seed: int) -> list[Tensor]:
    """Where the numbers stand that are kept of each part: all, or as many as NUMBERS that a seed names."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.arange(part.numel(), device=part.device)
        if part.numel() <= NUMBERS
        else torch.randint(part.numel(), (NUMBERS,), generator=generator).to(part.device)
        for part in parts
    ]


def taken(parts: list[Tensor], places: list[Tensor]) -> list[Tensor]:
    """A copy of the numbers at these places."""
    return [part.detach().flatten()[place] for part, place in zip(parts, places, strict=True)]
