"""A process that trains one seed."""

import sys
from pathlib import Path

import torch

from spikebench import task as tasks
from spikebench.cases.case import Training, expect
from spikebench.loading.subject import load
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement
from spikebench.run.protocol import Result, TrainJob
from spikebench.sampling.timed_training import TimedTraining
from spikebench.verify.judge import hand_over
from spikebench.verify.snapshot import at_start
from spikebench.workloads.training import Epoch, Run, recipe_of, steps_within, train


def trained(job: TrainJob, evidence: str | None) -> Result:
    """Train one seed; progress goes to the log, one line per epoch."""
    at_start()
    case = expect(job.case, Training)
    wanted, recipe = case.asked, recipe_of(case.asked.name, case.changes)
    dataset = tasks.load(wanted.name, job.data_root, **wanted.options)

    def make(n: int) -> torch.nn.Module:
        return load(case.parsed, n, dataset.steps, getattr(torch, case.dtype), case.device)

    done, checkpoints = None, Path(job.checkpoints) if job.checkpoints else None
    many = recipe.epochs if recipe.seconds is None else f"{recipe.seconds:g}s"
    watch = TimedTraining(case)
    scheme = case.parsed if case.parsed.scheme else None
    for done in train(dataset, make, recipe, [case.seed], case.device, None, checkpoints, watch, scheme):
        if watch.evidence.wrong:
            return Result("wrong", watch.evidence.wrong)
        if isinstance(done, Epoch):
            sys.stdout.write(f"epoch {done.number}/{many} loss {done.loss:.4g} {done.seconds:.2f} s\n")
            sys.stdout.flush()
    if not isinstance(done, Run):
        raise RuntimeError("training gave no result")
    sizes = {"steps": dataset.steps, "channels": dataset.channels, "classes": dataset.classes}
    detail = {"recipe": vars(recipe), "task": {**sizes, **dataset.options}, "losses": done.losses}
    counted: dict[str, object] = {"correct": done.correct, "total": done.total}
    counted |= {"majority": int(dataset.test.labels.bincount().max()) / done.total}  # share of the most frequent class
    samples = [
        Measurement("accuracy", "1", samples=[done.accuracy], detail=counted),
        Measurement("epoch_time", "s", samples=list(done.seconds), detail=detail),
        Measurement("spike_rate", "1", samples=list(done.spike_rates), detail={"samples": "one per hidden layer"}),
    ]
    if done.curve:
        note = {"samples": "test accuracy after each epoch, for the report only", "seconds": done.seconds}
        samples.append(Measurement("accuracy_curve", "1", samples=list(done.curve), detail=note))
    if done.aligned:
        told: dict[str, object] = {"weights": [a.weight for a in done.aligned]}
        told["norm_ratio"] = [a.ratio for a in done.aligned]
        samples.append(Measurement("weight_cosine", "1", samples=[a.cosine for a in done.aligned], detail=told))
    if watch.memory is not None:
        samples.append(Measurement("tensor_memory", "B", samples=[float(watch.memory)]))
    if done.without_spikes is not None:
        samples.append(_nearing(done, done.without_spikes))
    problem = hand_over(watch.evidence, case, evidence, samples[1:2])
    return Result("wrong", problem) if problem else Result(measurements=samples, flags=[Flag.SILENCED] * watch.silenced)


def _nearing(run: Run, without: int) -> Measurement:
    """After how many steps a converted network is as good as the network without spikes, but for 1 %."""
    detail: dict[str, object] = {"without_spikes": without, "by_steps": run.by_steps, "total": run.total}
    found = steps_within(run)
    if found is None:
        reason = f"the accuracy is not within 1 % of that without spikes after {len(run.by_steps)} steps"
        return Measurement("steps_to_ann", "1", "unavailable", reason, detail=detail)
    return Measurement("steps_to_ann", "1", samples=[float(found)], detail=detail)
