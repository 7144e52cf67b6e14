"""`sb.train` trains networks on a task, each seed in a fresh process. A training that was cut off goes on after its last epoch."""

import importlib.util
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Annotated, Any

from spikebench import registry
from spikebench.analysis import select
from spikebench.cases.arguments import asked
from spikebench.cases.case import Case
from spikebench.cases.named import parse_task
from spikebench.cases.options import Options, Value, written
from spikebench.cases.recipe import Recipe, checked
from spikebench.cases.subject import CEILING, parse_subject
from spikebench.declarations import module_literals
from spikebench.errors import Problem
from spikebench.experiments.settings import settings_of
from spikebench.experiments.sweep import measurable
from spikebench.host import environment
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile, opened
from spikebench.run.session import Session
from spikebench.run.settings import Progress, Settings
from spikebench.run.shared import WAIT, Shared
from spikebench.units import Count

_EPOCH = re.compile(r"epoch (\d+)/(\S+) loss (\S+)")
Warn = Callable[[str], None]


@asked
def train(
    task: str,
    *neurons: str,
    seeds: Annotated[int, "[1, 10000]"] = 5,
    epochs: Count | None = None,
    recipe: Mapping[str, Value] | None = None,
    equal_time: float | None = None,
    scheme: str | None = None,
    ceiling: bool = False,
    resume: bool = False,
    data_root: str | Path | None = None,
    device: str = "cpu",
    out: str | Path | None = None,
    progress: Progress | None = None,
    warn: Warn | None = None,
    settings: Settings | None = None,
    **given: Any,
) -> list[Record]:
    """Train a network of each neuron on a task, each of the seeds in a fresh process: accuracy, seconds an epoch, spike rates.

    `sb.list("tasks")` has the tasks. `recipe` changes fields of the task's own recipe, such as lr or batch, and `epochs`
    its number of epochs; with `equal_time` every neuron trains for so many seconds, and is tested after every epoch.
    `scheme` says how, as "ottt" or "sltt_k[k=4]"; else it is BPTT with the loss of the network's own readout. A network that a
    scheme trains has no BatchNorm over all steps, unless the recipe says so.
    `ceiling` also trains with one element-wise pass in the neuron's place: no neuron can make an epoch faster. `resume`
    takes up what `out` and the folder of checkpoints beside it have; `warn` is told what it cannot take up. `data_root` is the folder that holds the data.
    `given` are fields of `settings`, a `spikebench.run.settings.Settings`; a seed may take an hour.
    """
    neurons = neurons if scheme is None else tuple(f"{neuron}+{scheme}" for neuron in neurons)
    cases = trainings(task, neurons, seeds, changes_of(epochs, recipe, equal_time), ceiling, device)
    if why := missing(task, data_root):
        raise Problem(why)
    chosen = settings_of("train", given, settings or Settings(timeout=3600.0))
    where, root = (None if path is None else Path(path) for path in (out, data_root))
    with Session(chosen) as session:
        return train_all(session, cases, root, where, resume, progress, warn)


def missing(task: str, data_root: str | Path | None) -> str | None:
    """What of a task's files is not there and how to get it, by what its file declares; None if nothing is missing."""
    name = parse_task(task).name
    said = module_literals(registry.file("tasks", name))
    places = [] if data_root is None else [Path(data_root, folder) for folder in said.get("FOLDERS", ())]
    package, *inside = said.get("INSIDE", (None,))
    spec = importlib.util.find_spec(package) if package else None
    places += [Path(folder, *inside) for folder in (spec and spec.submodule_search_locations) or ()]
    absent = [f for f in said.get("FILES", ()) if not any((place / f).exists() for place in places)]
    where = f"not found in {', '.join(map(str, places))}" if places else "needs a data root"
    return f"{name}: {absent[0]} {where}; {said['GET']}" if absent else None


def changes_of(epochs: int | None, recipe: Mapping[str, Value] | None, equal_time: float | None) -> Options:
    """The changes to a task's own recipe. Raises Problem for a time that is none, or beside a number of epochs."""
    if equal_time is not None and not 0 < equal_time < float("inf"):
        raise Problem(f"--equal-time {equal_time:g} s: train for longer than 0 seconds, for example 60s")
    if equal_time is not None and epochs is not None:
        raise Problem(
            f"--equal-time says how long to train, so --epochs {epochs} would count for nothing; give one of them"
        )
    changes: Options = dict(recipe or {}) | ({} if epochs is None else {"epochs": epochs})
    return changes if equal_time is None else changes | {"seconds": equal_time, "schedule": "constant", "curve": True}


def trainings(
    task: str, neurons: tuple[str, ...], seeds: int, changes: Options, ceiling: bool, device: str
) -> list[Case]:
    """The case of every neuron and seed. Raises Problem for words and numbers that make no recipe."""
    if seeds < 1:
        raise Problem(f"--seeds {seeds}: give at least 1")
    own = module_literals(registry.file("tasks", parse_task(task).name)).get("RECIPE")
    if own is None:  # it is that of another task, and what goes together is checked where it is loaded
        for name, value in changes.items():
            checked(name, value)
    else:
        Recipe().changed(own | changes)
    made: list[Case] = []
    for s in [*neurons, *([CEILING] if ceiling else [])]:
        by_scheme: Options = {"batch_norm": False} if parse_subject(s, device).scheme else {}
        recipe = written(by_scheme | changes) or None
        made += [Case(s, workload="training", task=task, network=recipe, device=device, seed=k) for k in range(seeds)]
    return measurable(made)


def train_all(
    session: Session,
    cases: list[Case],
    data_root: Path | None,
    where: Path | ResultFile | None,
    resume: bool = False,
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> list[Record]:
    """Train every case in a fresh process, with progress; records are appended to `where` unless refused.

    The state after each epoch is kept in a folder beside `where` until the record is written. `resume` takes it up, and
    gives the records that `where` has from this machine, these versions and this commit; else both start anew. What
    another run that resumes the same file trains at this time is left to it.
    """
    here, tell, say = environment.fingerprint(session.environment), progress or (lambda *_: None), warn or warnings.warn
    made, left = dict[str, Record](), [(case, 0) for case in cases]
    with opened(where, say) as file:

        def done() -> dict[select.Key, Record]:
            known = select.from_here(file.path, session.environment) if resume and file else []
            return dict(select.done(known, retry=True))

        shared, folder = Shared(file, done, here, alone=not resume), file and file.paths[0].with_suffix(".checkpoints")
        while left:
            job = shared.next(left)
            if job is None:
                if left:
                    tell("another run trains it", left[0][0], len(cases) - len(left), len(cases))
                    sleep(WAIT)
                continue
            case, k = job[0], len(cases) - len(left)
            tell("start", case, k, len(cases))
            kept = folder / f"{case.case_id}-{here}" if folder else None
            if kept is not None:
                _take_up(case, kept, resume, say)
            made[case.case_id] = record = _trained(
                session, case, data_root, kept, lambda what, c=case, k=k: tell(what, c, k, len(cases)), say
            )
            if file is not None and record.status != "refused":
                file.append(record)
            if kept is not None and record.status in ("ok", "wrong"):  # what was wrong is not taken up
                shutil.rmtree(kept, ignore_errors=True)
            left.remove(job)
            shared.over(job)
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()
        known = done()
    return [made.get(case.case_id) or known[case.case_id, 0] for case in cases]


def _trained(
    session: Session, case: Case, data_root: Path | None, kept: Path | None, tell: Callable[[str], None], warn: Warn
) -> Record:
    """Train a case, with a word for every epoch, and one if its checkpoint was damaged."""

    def watch(log: str) -> None:
        if found := _EPOCH.findall(log):
            number, of, loss = found[-1]
            tell(f"seed {case.seed}, epoch {number} of {of}, loss {loss}")

    before = _set_aside(kept)
    record = session.train(case, data_root, watch, kept)
    for path in sorted(_set_aside(kept) - before):
        warn(
            f"{case.subject}, seed {case.seed}: its checkpoint is damaged and was set aside as {path}; it started anew"
        )
    return record


def _set_aside(kept: Path | None) -> set[Path]:
    """Damaged checkpoints of a case, which its training has put beside their folder."""
    return set(kept.parent.glob(f"{kept.name}-*.damaged")) if kept is not None else set()


def _take_up(case: Case, kept: Path, resume: bool, warn: Warn) -> None:
    """Forget the checkpoints of a case unless it is resumed; say if those that there are cannot be taken up."""
    if not resume:
        shutil.rmtree(kept, ignore_errors=True)
    elif not kept.exists() and any(p.is_dir() for p in kept.parent.glob(f"{case.case_id}-*")):
        warn(f"{case.subject}, seed {case.seed}: begun with another commit, machine or version; it starts anew")
