"""Traces a forward pass: the lines of the subject's code that call operators, and whether torch.compile takes it whole."""

import linecache
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spikebench.loading.detect import FAILURES
from spikebench.loading.foreign import Adapted
from spikebench.workloads.layer import Workload

NOT_THEIRS = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]))


@dataclass
class Watched:
    """Lines of the subject's code by operator, the share of operators that give float64, and whether torch.cat's results grow."""

    lines: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    dtypes: Counter[bool] = field(default_factory=Counter)
    double_lines: Counter[str] = field(default_factory=Counter)
    joined: list[int] = field(default_factory=list)

    def line(self, names: Collection[str]) -> str | None:
        """The line that calls these operators most often."""
        found = sum((self.lines[n] for n in names if n in self.lines), Counter[str]())
        return next((text for text, _ in found.most_common(1)), None)

    @property
    def doubles(self) -> float:
        return self.dtypes[True] / max(1, self.dtypes.total())

    @property
    def doubles_line(self) -> str | None:
        return next((text for text, _ in self.double_lines.items()), None)

    @property
    def grows(self) -> bool:
        """Whether what torch.cat gives grows from call to call."""
        return len(self.joined) > 2 and self.joined[-1] > 2 * self.joined[0]


class _Watch(TorchDispatchMode):
    def __init__(self, found: Watched) -> None:
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, name, line = func(*args, **(kwargs or {})), func.overloadpacket.__name__, _line()
        self.found.lines[name][line] += 1
        if isinstance(out, Tensor) and out.is_floating_point():
            double = out.dtype == torch.float64
            self.found.dtypes[double] += 1
            if double:
                self.found.double_lines[line] += 1
            if name == "cat":
                self.found.joined.append(out.numel())
        return out


def _line() -> str:
    """The innermost line that is neither PyTorch's nor ours."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith((*NOT_THEIRS, "<")):
        frame = frame.f_back
    return _shown(frame.f_code.co_filename, frame.f_lineno)


def _shown(name: str, number: int) -> str:
    return f"{Path(name).name}, line {number}: {linecache.getline(name, number).strip()}"


def watched(work: Workload) -> Watched:
    """What the operators of one forward pass are called by."""
    found = Watched()
    work.module(work.x)
    with _Watch(found):
        work.module(work.x)
    return found


def explained(work: Workload) -> str | None:
    """Why torch.compile cannot take a forward pass as one graph, of a step where one step is a call; None if it can."""
    from torch import _dynamo as dynamo

    module, arguments = work.module, (work.x,)
    if isinstance(module, Adapted):
        arguments, module = module.arguments(work.x), module.module
    try:
        dynamo.reset()
        torch.compile(module, backend="eager", fullgraph=True, dynamic=False)(*arguments)
    except FAILURES as error:
        text = str(error).strip()
        said = text.splitlines()[0] if text else type(error).__name__
        lines = re.findall(r'File "(.+?)", line (\d+)', text)
        theirs = [(name, int(number)) for name, number in lines if not name.startswith(NOT_THEIRS)]
        return said + (f" ({_shown(*theirs[-1])})" if theirs else "")
    return None
