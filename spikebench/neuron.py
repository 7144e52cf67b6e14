"""What a neuron is: a map from a current sequence [T, B, N] to spikes of the same shape, and facts about it."""

from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from spikebench.numerics import philox

Reset = Literal["none", "soft", "hard", "mean-field"]
State = tuple[Tensor, ...]
Operations = dict[str, float | str]
Words = float | str

# options that mean the same in several neurons; the others stand in the docstring of their neuron, under "Options:"
OPTIONS: dict[str, str] = {
    "decay": "what the membrane keeps per step",
    "threshold": "the membrane at which a spike is fired",
    "detach_reset": "no gradient goes through the reset",
    "surrogate": "the derivative that stands for that of a spike",
    "slope": "how steep the surrogate is",
    "learn_slope": "the slope is a parameter",
}


class Neuron(nn.Module):
    """A neuron's definition: the reference that every backend must equal.

    `forward(x)` maps input current x [T, B, N] to spikes [T, B, N] of the same dtype. Class attributes are the facts
    that tables, tests and plots use; they must be literals, because they are also read without importing torch.
    Constants are plain floats or `None`, so that `rounded()` can give the reference exactly what a backend got.

    What a forward step costs one neuron, at the default options, is declared for estimates of energy. `operations` counts
    what the equation needs: "mul" and "add" (a product of matrices has one of each per weight that can be other than 0),
    "compare" (with the threshold, or with a uniform), "select" (a constant or 0, by a spike: no product), "special" (a
    sigmoid, a floor) and "draw" (a random number). A step reads `state_words` numbers of what it has kept from earlier
    steps and writes `state_writes` of them (as many, if None). Each is a number or arithmetic over the options, T and N,
    as in "3 * state": see cost.py.
    """

    reference: ClassVar[str] = ""
    reset_kind: ClassVar[Reset] = "none"
    stochastic: ClassVar[bool] = False
    causal: ClassVar[bool] = True
    parallel_in_time: ClassVar[bool] = False  # no step needs the spikes of another, so all can be computed at once
    stepwise: ClassVar[bool] = False  # the definition is a loop all the same; backends fft and scan have none
    coupled: ClassVar[bool] = False
    verified: ClassVar[bool] = True
    fixed_length: ClassVar[bool] = False  # its parameters are made for one number of steps T
    approximates: ClassVar[str | None] = None  # the LIF that it approximates, with its own options in braces
    approximates_where: ClassVar[
        dict[str, str]
    ] = {}  # options and the values at which it does; at others it approximates none
    gradient_reference: ClassVar[str | None] = None  # the neuron with the same spikes whose gradient is that of BPTT
    surrogate_membrane: ClassVar[bool] = (
        False  # a surrogate's derivative is in its membrane, too, not in the spike alone
    )
    per_neuron: ClassVar[tuple[str, ...]] = ()  # parameters whose last axis runs over the N neurons
    LATER: ClassVar[
        tuple[str, ...]
    ] = ()  # options that came after cases were recorded: left out of them at the default
    LONGEST_T: ClassVar[int | None] = None  # at which sweeps measure it: the definition, which every gate runs, is slow
    operations: ClassVar[Operations] = {}
    state_words: ClassVar[Words] = 0
    state_writes: ClassVar[Words | None] = None

    threshold: float | nn.Parameter  # a class may not give it a value: a parameter of that name could not be registered

    def membrane(self, x: Tensor) -> Tensor:
        """What is compared with the threshold (or, if stochastic, with a uniform): [T, B, N]."""
        raise NotImplementedError(f"{type(self).__name__} exposes no membrane")

    def both(self, x: Tensor, **noise: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and membrane [T, B, N] of one input."""
        out = self(x, **noise)
        return out[0] if isinstance(out, tuple) else out, self.membrane(x)

    def margin(self, membrane: Tensor, uniforms: Tensor | None = None) -> Tensor:
        """Distance of each membrane value to the nearest point where the spike count changes: [T, B, N]."""
        return (membrane - (self.threshold if uniforms is None else uniforms)).abs()

    def jump(self, x: Tensor) -> Tensor | None:
        """Distance [T, B, N] to the nearest point where the rule of the gradient jumps; None where it is continuous.

        The edges of a rectangle are jumps; a neuron with other ones says so itself.
        """
        if getattr(self, "surrogate", None) != "rectangle":
            return None
        return (self.margin(self.membrane(x)) - 0.5 / float(cast(Any, self).slope)).abs()

    def onto_jump(self, x: Tensor) -> bool:
        """Change x and this neuron in place so that some steps stand on a jump exactly; False where there is none."""
        return False

    def rounded(self, dtype: torch.dtype) -> "Neuron":
        """This neuron with every constant and parameter rounded to `dtype`; changes it in place and returns it."""
        for name, value in vars(self).items():
            if isinstance(value, float):
                setattr(self, name, float(torch.tensor(value, dtype=dtype)))
        return self.to(dtype)


class SteppedNeuron(Neuron):
    """A neuron with a recurrence: its definition is one step, and the sequence is the loop over it.

    Streaming: `forward(x, state, return_state=True)` also gives the state after the last step.
    """

    def initial(self, x: Tensor) -> State:
        """The state before the first step, for inputs shaped like x [B, N]."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Spikes, pre-reset membrane and next state from one input x [B, N]."""
        raise NotImplementedError

    def forward(
        self, x: Tensor, state: State | None = None, return_state: bool = False
    ) -> Tensor | tuple[Tensor, State]:
        spikes: list[Tensor] = []
        for x_t in x.unbind(0):
            state = self.initial(x_t) if state is None else state
            s, _, state = self.step(x_t, state)
            spikes.append(s)
        out = torch.stack(spikes)
        return (out, cast(State, state)) if return_state else out

    def membrane(self, x: Tensor) -> Tensor:
        return self._loop(x)[1]

    def both(self, x: Tensor, **noise: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and membrane [T, B, N] from one loop, where the class has this one."""
        own = (type(self).forward, type(self).membrane)
        return self._loop(x) if own == (SteppedNeuron.forward, SteppedNeuron.membrane) else super().both(x, **noise)

    def _loop(self, x: Tensor) -> tuple[Tensor, Tensor]:
        state, spikes, us = self.initial(x[0]), [], []
        for x_t in x.unbind(0):
            s, u, state = self.step(x_t, state)
            spikes.append(s)
            us.append(u)
        return torch.stack(spikes), torch.stack(us)


class StochasticNeuron(Neuron):
    """A neuron that samples. `forward(x, uniforms)`: uniforms [T, B, N] in [0, 1) decide; drawn when not given.

    `seed` (64 bit) names the noise stream and `calls` counts forward calls, so that no noise is ever used twice;
    `site` is the place of this neuron among the sampling sites of a model.
    """

    stochastic: ClassVar[bool] = True
    seed: int = 0
    site: int = 0

    def __init__(self) -> None:
        super().__init__()
        with torch.inference_mode(False):  # a tensor, so that a compiled graph can count too
            self.counter = torch.zeros((), dtype=torch.int64, device="cpu")

    @property
    def calls(self) -> int:
        """How many forward calls there were, which is the number of the next one."""
        return int(self.counter)

    @calls.setter
    def calls(self, number: int) -> None:
        self.counter.fill_(number)

    def next_call(self) -> int:
        """The number of this forward call; the next one gets the next number."""
        counted = self.counter.numpy()  # the same memory, in a third of the time that the tensor's own methods take
        number = counted.item()
        counted.fill(number + 1)
        return number

    def draw(self, x: Tensor, seed: int | None = None) -> Tensor:
        """Uniforms [T, B, N] for the next forward call, Philox 4x32-10, the same on every backend; `seed`: for this call."""
        named = self.seed if seed is None else seed, self.next_call(), self.site
        return philox.narrowed(philox.uniforms(*named, x.shape, x.device), x.dtype)
