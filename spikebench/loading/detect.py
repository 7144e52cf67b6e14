"""Finds out how somebody's module wants to be called, by calling fresh copies of it on small inputs."""

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikebench.cases.subject import Way
from spikebench.errors import Problem
from spikebench.loading.foreign import Adapted, restart

RESETS = ("reset", "reset_state", "reset_states", "reset_mem", "reset_net", "init_state", "init_states", "init_hidden")
MEMORYLESS = "takes whole sequences; it shows no memory of earlier steps"
B = 3
# what Triton and PyTorch say of kernels that find no GPU, or tensors that are not on it
FOR_GPU = ("active drivers", "cannot be accessed from Triton", "NVIDIA driver", "not compiled with CUDA enabled")
FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError, AssertionError)


@dataclass
class Found:
    """A way to call a module, and in words what shows that it is the one."""

    way: Way
    notes: list[str] = field(default_factory=list)


@dataclass
class Detective:
    """Fresh modules made for `steps` steps and n neurons, what is fixed of their way, and small inputs."""

    make: Callable[[], nn.Module]
    steps: int
    n: int
    fixed: Mapping[str, Any]
    device: str = "cpu"

    def fresh(self) -> nn.Module:
        return self.make().eval().to(self.device)

    def call(self, module: nn.Module, way: Way, x: Tensor) -> Tensor:
        """Spikes [T, B, n] of a call under fixed seeds; Problem if their shape is another."""
        _seed()
        with torch.no_grad():
            out = Adapted(module, way)(x)
        if out.shape != x.shape:
            raise Problem(f"gives {list(out.shape)} for input {list(x.shape)} in layout {way.layout}")
        return out.clone()

    def inputs(self) -> Iterator[Tensor]:
        """Weak, ordinary and strong currents [T, B, n]: some make a neuron fire now and then."""
        for scale in (1.0, 6.0, 40.0):
            generator = torch.Generator().manual_seed(1)
            yield (scale * (torch.randn(self.steps, B, self.n, generator=generator) + 0.4)).to(self.device)

    def find(self) -> Found:
        """The way; Problem names what was tried if no way gives spikes of the input's shape."""
        named = "reset" in self.fixed
        there = [name for name in RESETS if self._has(name)]
        troubles: list[str] = []
        for reset in [self.fixed["reset"]] if named else [None, *there]:  # some must be reset before the first call
            found = self._classify(reset, troubles)
            if found is not None:
                return found if named else self._with_reset(found, there)
        tried = "; ".join(dict.fromkeys(troubles))
        if self.device == "cpu" and any(sign in tried for sign in FOR_GPU):
            raise Problem(
                f"its kernels are for a GPU, and it was called on the CPU; give --device cuda ({troubles[0]})"
            )
        raise Problem(f"no way of calling it gives spikes of the input's shape: {tried}")

    def _has(self, name: str) -> bool:
        return any(callable(getattr(m, name, None)) for m in self.fresh().modules())

    def _classify(self, reset: str | None, troubles: list[str]) -> Found | None:
        base = Way(reset=reset, output=self.fixed.get("output", 0))
        works: list[Way] = []
        if self.fixed.get("adapter", "sequence") == "sequence":
            for layout in [self.fixed["layout"]] if "layout" in self.fixed else ["TB", "BT"]:
                way = self._try(replace(base, layout=layout), troubles)
                if way is not None:
                    works.append(way)
        mixes = [self._mixes(way) for way in works]
        for way, (along_time, along_batch) in zip(works, mixes, strict=True):
            if along_time and (not along_batch or "layout" in self.fixed or len(works) == 1):
                first = "time" if way.layout == "TB" else "batch"
                return Found(
                    way, [f"takes whole sequences, {first} first: an input shows in later steps of its own item"]
                )
        for way, (along_time, along_batch) in zip(works, mixes, strict=True):
            if along_time and along_batch:
                return Found(way, ["takes whole sequences; steps and batch items both mix, so time first is a guess"])
        if (
            works
            and reset is None
            and "adapter" not in self.fixed
            and not self._takes_state()
            and not self._leaks(works[0])
        ):
            return Found(works[0], [MEMORYLESS])
        if self.fixed.get("adapter", "step") == "step" and (step := self._step(base, troubles)):
            if self._mixes(step)[0] or "adapter" in self.fixed or not works:
                where = "its state goes from call to call" if step.state == "carried" else "it keeps its state itself"
                return Found(step, [f"takes one step per call; {where}"])
        if works and not self._leaks(replace(works[0], reset=None)):
            return Found(works[0], [MEMORYLESS])
        return None  # what remembers calls but no steps is called by steps, and that failed

    def _try(self, way: Way, troubles: list[str]) -> Way | None:
        """The way with the place of the spikes, if a call works."""
        x = next(self.inputs())
        try:
            if "output" not in self.fixed:
                way = replace(way, output=self._place(way, x))
            self.call(self.fresh(), way, x)
        except FAILURES as error:
            text = str(error).strip().splitlines()[:1]
            what = "one step per call" if way.adapter == "step" else f"a sequence {way.layout}"
            after = f" after {way.reset}()" if way.reset else ""
            troubles.append(f"{what}{after}: {text[0] if text else type(error).__name__}")
            return None
        return way

    def _place(self, way: Way, x: Tensor) -> int:
        """Which output holds spikes: the first of the right shape with whole numbers of at least 0."""
        module = self.fresh()
        _seed()
        state = restart(module, way.reset, x) if way.reset else ()
        given = x[0] if way.adapter == "step" else x.transpose(0, 1) if way.layout == "BT" else x
        with torch.no_grad():
            several = Adapted(module, way).call(given, state if way.state == "carried" else ())
        if way.state == "carried" and len(several) < 2:
            raise Problem("gives nothing beyond the spikes that could be carried to the next step")
        fits = [k for k, v in enumerate(several) if isinstance(v, Tensor) and v.shape == given.shape]
        if not fits:
            kinds = ", ".join(str(list(v.shape)) if isinstance(v, Tensor) else type(v).__name__ for v in several)
            raise Problem(f"gives {kinds} for input {list(given.shape)}")
        whole = [k for k in fits if bool(((several[k] >= 0) & (several[k] == several[k].round())).all())]
        return (whole or fits)[0]

    def _step(self, base: Way, troubles: list[str]) -> Way | None:
        base = replace(base, adapter="step")
        both = ["carried", "hidden"] if self._takes_state() else ["hidden"]
        kinds = [self.fixed["state"]] if "state" in self.fixed else both
        ways = [self._try(replace(base, state=kind), troubles) for kind in kinds]
        works = [way for way in ways if way is not None]
        return next((way for way in works if self._mixes(way)[0]), works[0] if works else None)

    def _takes_state(self) -> bool:
        """Whether a call can be given more than the input."""
        forward = list(inspect.signature(self.fresh().forward).parameters.values())
        return len(forward) > 1 or any(p.kind is p.VAR_POSITIONAL for p in forward)

    def _mixes(self, way: Way) -> tuple[bool, bool]:
        """Whether an input changes spikes at other steps of its batch item, and at other batch items of its step."""
        time = batch = False
        for x in self.inputs():
            before, t = self.call(self.fresh(), way, x), self.steps // 3
            for size in (60.0, -60.0):
                other = x.clone()
                other[t, 0] += size
                changed = (self.call(self.fresh(), way, other) != before).any(2)
                changed[t, 0] = False
                time |= bool(changed[:, 0].any())
                batch |= bool(changed[t].any())
            if time or batch:
                break
        return time, batch

    def _with_reset(self, found: Found, there: list[str]) -> Found:
        """The same way with the reset that makes every call start anew, if it needs one."""
        if not self._leaks(found.way):
            called = f"; {found.way.reset}() is called before each sequence" if found.way.reset else ""
            return Found(found.way, [*found.notes, f"every call starts anew{called}"])
        for name in there:
            way = replace(found.way, reset=name)
            if not self._leaks(way):
                note = f"it keeps state from call to call: {name}() is called before each sequence"
                return Found(way, [*found.notes, note])
        tried = f"; {', '.join(there)} did not clear it" if there else f"; it has none of {', '.join(RESETS[:4])} …"
        return Found(found.way, [*found.notes, f"it keeps state from call to call, and no reset was found{tried}"])

    def works(self, way: Way) -> bool:
        """Whether two calls in a row work."""
        module, x = self.fresh(), next(self.inputs())
        try:
            return all(self.call(module, way, x).shape == x.shape for _ in range(2))
        except (Problem, *FAILURES):
            return False

    def _leaks(self, way: Way) -> bool:
        """Whether a call changes what the next one gives, be it an error."""
        module = self.fresh()
        try:
            return any(not torch.equal(self.call(module, way, x), self.call(module, way, x)) for x in self.inputs())
        except FAILURES:
            return True


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
