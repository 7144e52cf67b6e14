"""The corpus of cheats as data: each with its class, what it does, and what catches it. Tests run it, and a page shows it.

It needs nothing but Python, because the site is built from it, too.
"""

from dataclasses import dataclass
from typing import Literal

SPIKE, GRADIENT = "a spike differs", "the input's gradient is off"
HELD, AGAIN = "still held", "changed while it was held"
NOTHING = "of a timed launch nothing was kept"
Test = Literal["gate", "timed", "run", "inside"]


@dataclass(frozen=True)
class Cheat:
    """A backend in tests/cheats/ that takes a short cut, as `neuron@backend`, and what a record says of it.

    `caught` is the status or the flag of its record, `ok` where what it hides is counted, or nothing where nothing catches it, and `said` a part of the reason.
    `tests` name where that is tested: by the `gate` alone, on launches `timed` in the test's process (both in test_timed.py),
    `inside` a network or a training (test_inside.py), or in a `run` as anybody makes it (test_corpus.py, with --slow).
    """

    kind: str
    backend: str
    does: str
    caught: str
    said: str = ""
    tests: tuple[Test, ...] = ("run",)
    mode: str = "train"
    neuron: str = "lif"
    metrics: str = "latency"
    sizes: tuple[int, int] = (2, 8)  # B and N in the tests of one process


KEPT, IDLE, LAZY = "kept results", "idle while timed", "computed later"
FORESEEN, ODD, FORM = "only what is looked at", "inputs that are unusual", "another output"
PATCHED, FORGED = "changed judges and clocks", "forged results"
ELSEWHERE, MEMORY, OTHERS, RARE = (
    "work at another time or place",
    "hidden memory",
    "harm to others",
    "wrong once in a while",
)
TIMED: tuple[Test, ...] = ("timed",)
TWICE: tuple[Test, ...] = ("timed", "run")
GATED: tuple[Test, ...] = ("gate",)
NESTED = "right only as a layer"
INSIDE: tuple[Test, ...] = ("inside",)

CORPUS = (
    Cheat(KEPT, "kept[kind=pointer]", "It keeps results by the address and version of the input.", "replayed", "", TWICE, "inference"),
    Cheat(KEPT, "kept[kind=settled]", "It keeps what it computes in the launches before a sample, and gives it in the sample.", "replayed", "", mode="inference"),
    Cheat(KEPT, "kept[kind=content]", "It keeps results by a hash of the input.", "replayed", "", TIMED, "inference"),
    Cheat(KEPT, "kept[kind=glance]", "It keeps results by eight values of the input.", "replayed", "", TIMED),
    Cheat(KEPT, "kept[kind=blind]", "It gives the first result again, whatever the input.", "wrong", SPIKE, TWICE, "inference"),
    Cheat(KEPT, "kept[kind=half]", "It computes half of the batch and keeps the other half.", "wrong", SPIKE, TIMED),
    Cheat(KEPT, "kept[kind=disk]", "It leaves results on the disk for the process that is timed.", "wrong", SPIKE, mode="inference"),
    Cheat(KEPT, "kept_gradient[kind=same]", "It gives the gradient of an earlier backward pass.", "wrong", GRADIENT, TIMED),
    Cheat(KEPT, "kept_gradient[kind=same]", "It does so for a neuron that samples.", "wrong", GRADIENT, TIMED, neuron="spsn"),
    Cheat(KEPT, "kept_gradient[kind=scaled]", "It scales a kept gradient to the new output gradient.", "wrong", GRADIENT, TIMED),
    Cheat(KEPT, "kept_gradient[kind=early]", "It computes the backward pass in the forward pass, with the last output gradient.", "wrong", GRADIENT, TWICE, metrics="backward"),
    Cheat(KEPT, "learned[kind=kept]", "It gives the gradients of what learns of an earlier backward pass.", "wrong", "a parameter's gradient", TIMED, neuron="plif"),
    Cheat(IDLE, "learned[kind=none]", "It computes no gradients of what learns.", "wrong", "a parameter's gradient", TIMED, neuron="plif"),
    Cheat(KEPT, "frozen[kind=once]", "It draws its noise once for all calls.", "wrong", SPIKE, TIMED, "forward", "spsn"),
    Cheat(KEPT, "frozen[kind=four]", "It repeats four drawings of noise in turn.", "wrong", SPIKE, TIMED, "inference", "spsn"),
    Cheat(IDLE, "idle[kind=stack]", "It finds the clock on the call stack, and does nothing then.", "wrong", SPIKE, TWICE),
    Cheat(IDLE, "idle[kind=unkept]", "It finds on the call stack that this launch of a group is neither the first nor the last.", "wrong", SPIKE, mode="inference"),
    Cheat(IDLE, "idle[kind=chance]", "It does nothing in one of four launches of a group, by chance.", "wrong", SPIKE, mode="inference"),
    Cheat(IDLE, "idle[kind=gc]", "It does nothing while the garbage collector is off.", "wrong", SPIKE, TIMED, "inference"),
    Cheat(IDLE, "idle[kind=calls]", "It does nothing after its 40th call.", "wrong", SPIKE, TIMED, "forward"),
    Cheat(IDLE, "idle[kind=every-other]", "It does nothing in every second call.", "wrong", SPIKE, TIMED),
    Cheat(IDLE, "idle[kind=backward]", "It skips the backward pass.", "wrong", GRADIENT, TWICE),
    Cheat(LAZY, "lazy[kind=subclass]", "Its output is a tensor of a class that computes when it is read.", "wrong", "gives a Later and not a torch.Tensor", ("gate", "run")),
    Cheat(LAZY, "lazy[kind=thread]", "A thread fills the output after the call has returned.", "wrong"),
    Cheat(LAZY, "lazy[kind=half-thread]", "A thread fills half of it.", "wrong", mode="inference"),
    Cheat(LAZY, "lazy[kind=raw]", "So does a thread that Python's module of threads does not know.", "wrong", "", mode="inference"),
    Cheat(LAZY, "lazy[kind=holds]", "So does a thread that lets no other one run until it is done.", "wrong", mode="inference"),
    Cheat(LAZY, "lazy[kind=mode]", "A mode of torch computes when the output is copied.", "wrong", "function modes", mode="inference"),
    Cheat(LAZY, "lazy[kind=method]", "So does a method of torch, which is another one until the harness calls it.", "wrong", "", mode="inference"),
    Cheat(LAZY, "lazy[kind=hook]", "A hook of the interpreter computes when the harness enters the function that copies.", "wrong", "sys.setprofile", mode="inference"),
    Cheat(LAZY, "lazy[kind=audit]", "A hook for audits computes when the harness copies the output.", "wrong", "", mode="inference"),
    Cheat(LAZY, "lazy[kind=signal]", "The handler of a timer's signal computes when the call has returned.", "wrong", "", mode="inference"),
    Cheat(FORESEEN, "foreseen[kind=seed]", "It computes the series that the case's own seed would choose.", "wrong", SPIKE, GATED, sizes=(16, 64)),
    Cheat(FORESEEN, "foreseen[kind=rare]", "It leaves out one series in fifty.", "wrong", SPIKE, GATED, sizes=(16, 64)),
    Cheat(FORESEEN, "foreseen[kind=edges]", "It computes the first and the last 300 series.", "wrong", SPIKE, GATED, sizes=(16, 64)),
    Cheat(FORESEEN, "foreseen[kind=quarter]", "It leaves out a quarter of the neurons.", "wrong", SPIKE, GATED),
    Cheat(ODD, "odd_input[kind=large]", "It clips large inputs.", "wrong", SPIKE, GATED),
    Cheat(ODD, "odd_input[kind=holes]", "It takes NaN for 0.", "wrong", SPIKE, GATED),
    Cheat(ODD, "odd_input[kind=strided]", "It reads a view as if it were contiguous.", "wrong", SPIKE, GATED),
    Cheat(FORM, "form[kind=half]", "It gives half precision.", "wrong", "gives torch.float16", GATED),
    Cheat(FORM, "form[kind=double]", "It gives double precision.", "wrong", "gives torch.float64", GATED),
    Cheat(FORM, "form[kind=bytes]", "It gives bytes.", "wrong", "gives torch.uint8", GATED),
    Cheat(FORM, "form[kind=sparse]", "It gives a sparse tensor.", "wrong", "layout is torch.sparse_coo", GATED),
    Cheat(FORM, "form[kind=in-place]", "It writes the output over the input.", "wrong", "its input's memory", GATED),
    Cheat(FORM, "form[kind=buffer]", "It writes every output into one buffer.", "wrong", HELD, TWICE),
    Cheat(FORM, "reused_gradient", "It writes every gradient into one buffer.", "wrong", AGAIN, TWICE),
    Cheat(RARE, "sometimes[kind=last,every=2]", "Every other call, by chance, gives the spikes of the call before.", "wrong", SPIKE, TIMED),
    Cheat(RARE, "sometimes[kind=none,every=1]", "After some calls it gives no spikes.", "wrong", SPIKE, TIMED, "inference"),
    Cheat(RARE, "sometimes[kind=gradient,every=2]", "Every other gradient, by chance, is zero.", "wrong", GRADIENT, TIMED),
    Cheat(RARE, "sometimes[every=2]", "The first of these, where each call counts.", "wrong"),
    Cheat(PATCHED, "patched[kind=time]", "It replaces time.perf_counter_ns.", "wrong", "the subject changed time.perf_counter_ns"),
    Cheat(PATCHED, "patched[kind=during]", "It does so during its own calls.", "wrong", "the subject changed time.perf_counter_ns"),
    Cheat(PATCHED, "patched[kind=once]", "It does so until the clock is read once, and puts back what was there.", "wrong", "the subject changed time.perf_counter_ns"),
    Cheat(PATCHED, "patched[kind=last]", "It makes what the clock has noted a property, which shortens it.", "wrong", "CpuClock.last"),
    Cheat(PATCHED, "patched[kind=name]", "It gives the module that times a `range` of its own, which launches once.", "wrong", "timed.range", mode="inference"),
    Cheat(PATCHED, "patched[kind=group]", "It puts copies of its result where those of launches are, and says that there were ten times as many.", "wrong", "how many launches", mode="inference"),
    Cheat(PATCHED, "patched[kind=clock]", "It replaces the method that times.", "wrong", "CpuClock.measure"),
    Cheat(PATCHED, "patched[kind=instance]", "It gives the clock in use a method of its own.", "wrong", "CpuClock.measure"),
    Cheat(PATCHED, "patched[kind=class]", "It gives the clock in use another class.", "wrong", "class"),
    Cheat(PATCHED, "patched[kind=below]", "It replaces the code in C behind the clock, so that all of Python's objects stay what they are.", "wrong", mode="inference"),
    Cheat(PATCHED, "patched[kind=equal]", "It replaces torch.equal.", "wrong", "torch.equal"),
    Cheat(PATCHED, "patched[kind=method]", "It replaces the comparison of tensors.", "wrong", "Tensor.__ne__"),
    Cheat(PATCHED, "patched[kind=judge]", "It replaces a function of ours that judges.", "wrong", "misformed"),
    Cheat(PATCHED, "patched[kind=definition]", "It replaces the step of the definition.", "wrong"),
    Cheat(PATCHED, "patched[kind=chance]", "It replaces the system's source of chance.", "wrong", "os.urandom"),
    Cheat(PATCHED, "patched[kind=autograd]", "It replaces torch.autograd.grad.", "wrong", "autograd"),
    Cheat(PATCHED, "patched[kind=flags]", "It hides the number of its threads.", "wrong", "torch.get_num_threads"),
    Cheat(FORGED, "forged", "It writes the result itself and ends the process.", "failed", "the result was not written by the worker"),
    Cheat(FORGED, "forged[kind=crash]", "It does so with another exit code.", "failed", "exit code 1"),
    Cheat(FORGED, "forged[kind=evidence]", "It does nothing while timed, computes later, and puts that where the harness has kept nothing's spikes.", "wrong", "is not what it was", mode="inference"),
    Cheat(FORGED, "forged[kind=events]", "It shortens the clock's readings after they were noted.", "wrong", "the clock's readings"),
    Cheat(FORGED, "forged[kind=uncompared]", "It does nothing while timed, and says that there is no definition to compare with.", "wrong", NOTHING, mode="inference"),
    Cheat(FORGED, "forged[kind=asked]", "It asks the parent before the launch which series will be compared.", "wrong", NOTHING),
    Cheat(ELSEWHERE, "early", "It works while it is imported.", "ok", "", metrics="latency,compile_time"),
    Cheat(ELSEWHERE, "elsewhere", "A process that it has started computes.", "company", mode="inference"),
    Cheat(ELSEWHERE, "elsewhere[kind=sleep]", "It sleeps, so that another subject looks better.", "asleep", mode="inference"),
    Cheat(MEMORY, "hoard", "A child holds its memory.", "company", "", mode="inference", metrics="latency,peak_memory"),
    Cheat(MEMORY, "hoard[kind=workspace]", "It takes its memory in the first call and uses it in all others.", "ok", "", mode="inference", metrics="latency,peak_memory"),
    Cheat(MEMORY, "hoard[kind=first]", "It takes memory in the first call and never uses it.", "ok", "", mode="inference", metrics="latency,peak_memory"),
    Cheat(OTHERS, "restless[kind=thread]", "A thread never rests.", "company", mode="inference"),
    Cheat(OTHERS, "restless[kind=raw]", "So does a thread that Python's module of threads does not know.", "company", mode="inference"),
    Cheat(OTHERS, "restless[kind=process]", "A process never rests.", "company", mode="inference"),
    Cheat(OTHERS, "restless[kind=orphan]", "So does one whose parent has ended, in a session of its own.", "company", mode="inference"),
    Cheat(OTHERS, "restless[kind=nice]", "It changes its priority.", "moved", mode="inference"),
    Cheat(OTHERS, "restless[kind=cores]", "It leaves the core that it was given.", "moved", mode="inference"),
    Cheat(OTHERS, "restless[kind=threads]", "It takes more threads.", "changed_threads", mode="inference"),
    Cheat(NESTED, "nested[kind=weights]", "In a network it gives no gradient to the weights before it.", "wrong", "the gradient of a weight", INSIDE),
    Cheat(NESTED, "nested[kind=second]", "It skips every second layer of a network.", "wrong", "the output", INSIDE),
    Cheat(NESTED, "nested[kind=kept]", "In a network it gives the first result of a size again.", "wrong", "", INSIDE),
    Cheat(NESTED, "nested[kind=graph]", "It is wrong where its input has a graph.", "wrong", "", INSIDE),
    Cheat(NESTED, "nested[kind=sizes]", "In a network or a training it is wrong for more than four items in float32.", "wrong", "", INSIDE),
    Cheat(NESTED, "nested[kind=half]", "In a network it computes half of the batch.", "wrong", "the output", INSIDE),
    Cheat(NESTED, "nested[kind=calls]", "In a network it does nothing after its 60th call.", "wrong", "", INSIDE),
    Cheat(NESTED, "nested[kind=hooks]", "In a network it computes only while modules have hooks.", "wrong", "when it is done again", INSIDE),
    Cheat(NESTED, "nested[kind=learns]", "In a training its gradient is zero after the first steps.", "wrong", "gradient", INSIDE),
    Cheat(NESTED, "nested[kind=evaluates]", "In a training it evaluates only.", "wrong", "its spikes carry no gradient", INSIDE),
)  # fmt: skip


def of(test: Test) -> list[Cheat]:
    """The cheats that a test runs."""
    return [c for c in CORPUS if test in c.tests]


def names() -> set[str]:
    """The files and folders of all of them."""
    return {c.backend.partition("[")[0] for c in CORPUS}


def table() -> str:
    """The corpus as a table in Markdown."""
    rows = ["| class | cheat | what it does | its record |", "| --- | --- | --- | --- |"]
    for c in CORPUS:
        said = f"`{c.caught}`" + (f", “…{c.said}…”" if c.said else "")
        said = "what it hides is counted" if c.caught == "ok" else said if c.caught else "**not caught**, see below"
        rows.append(f"| {c.kind} | `{c.neuron}@{c.backend}` | {c.does} | {said} |")
    return "\n".join(rows)
