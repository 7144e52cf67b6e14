"""SATA's estimate of the energy of a training step: operations and accesses of VGG5, at the prices of its authors' code.

The layers, counts and prices are those of RuokaiYin/SATA_Sim at 13ca32c: 8 steps, 16 bit, spikes as bits, of which 90 % are
absent; 70 % of the membranes' gradients are 0. `public` counts as that code does, whose branch for linear layers overwrites the products
of the convolutions before it, and forgets the sparsity. The readout is not counted there.
"""

from dataclasses import dataclass

STEPS, WORD = 8, 8  # time steps, and spikes that one access fetches
ABSENT_SPIKES, ABSENT_GRADIENTS = 0.9, 0.7
# pJ: an operation of 16 bit, and an access
MUL, ACC, ADD, AND, COMPARE, MUX, REGISTER, SHIFT = 0.239, 0.0389, 0.00967, 0.000794, 0.00309, 0.00172, 0.0301, 0.00605
DRAM, SRAM, SCRATCHPAD = 55.58, 1.95, 0.2779
FIRE = ADD + COMPARE + 2 * MUX + 3 * REGISTER + SHIFT  # a LIF's step, and what its surrogate costs
SURROGATE = MUL + 2 * ADD + MUX + 2 * SHIFT
BY_SPIKE, BY_NUMBER = ACC + AND, MUL + ACC  # a product with a spike, and with a gradient or an activation


@dataclass(frozen=True)
class Layer:
    """Weights, products of one step, neurons, and numbers that come in."""

    weights: int
    products: int
    neurons: int
    inputs: int
    linear: bool = False

    @staticmethod
    def convolution(size: int, channels: int, kernels: int) -> "Layer":
        """3 × 3 on images of this size."""
        weights = 9 * channels * kernels
        return Layer(weights, weights * size**2, kernels * size**2, channels * size**2)


VGG5 = (
    Layer.convolution(32, 3, 64),
    Layer.convolution(16, 64, 128),
    Layer.convolution(16, 128, 128),
    Layer(8192 * 1024, 8192 * 1024, 1024, 8192, linear=True),
)


@dataclass(frozen=True)
class Energy:
    """In J."""

    computation: float
    memory: float

    @property
    def total(self) -> float:
        """Both."""
        return self.computation + self.memory


def spiking(sparse: bool, public: bool = False) -> Energy:
    """A training step of the spiking network: forward, backward and update."""
    spikes, gradients = (1 - ABSENT_SPIKES, 1 - ABSENT_GRADIENTS) if sparse else (1.0, 1.0)
    counted = [layer for layer in VGG5 if layer.linear] if public else VGG5
    forward = sum(layer.products * (1.0 if public else spikes) for layer in counted) * STEPS
    backward = sum(layer.products * (1.0 if public else gradients) for layer in counted) * STEPS
    fired = sum(layer.neurons for layer in VGG5) * STEPS
    computation = fired * (FIRE + SURROGATE) + 2 * forward * BY_SPIKE + backward * BY_NUMBER
    return Energy(1e-12 * computation, 1e-12 * accesses(STEPS, WORD))


def without_spikes() -> Energy:
    """The same of a network of ReLUs, in one step; its accesses are counted by us, as those of the other, with a word for every number."""
    products = sum(layer.products for layer in VGG5)
    return Energy(1e-12 * 3 * products * BY_NUMBER, 1e-12 * accesses(1, 1))


def accesses(steps: int, word: int) -> float:
    """Their energy in pJ, with what is fetched for each layer forward, backward and in the update."""
    total = 0.0
    for layer in VGG5:
        w, came, gave = layer.weights, steps * layer.inputs / word, steps * layer.neurons
        dram = (w + gave + came) + (gave + came) + 2 * w
        sram = 2 * (w + gave + came) + (7 * gave + 2 * came + w) + (2 * (1 + steps) * w + came + gave)
        scratch = 2 * (w + came) + (w + gave) + (2 * (1 + steps) * w + came + gave + 2 * steps * w)
        total += dram * DRAM + sram * SRAM + scratch * SCRATCHPAD
    return total
