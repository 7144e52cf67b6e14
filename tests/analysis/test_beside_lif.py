"""The table of neurons beside the fused LIF: ratios of pairs, with what trainings and agreement know of the same neuron."""

from dataclasses import replace
from pathlib import Path

from spikebench.analysis.parallel import parallel_rows
from spikebench.records import store

RESULTS = Path(__file__).parents[2] / "results"
FILES = ("amd-epyc-f25m17-2c/claims_2026", "amd-epyc-f25m1-2c/fsdd", "amd-epyc-f25m17-2c/agreement")


def test_a_row_has_the_pairs_of_one_origin_and_what_other_records_know_of_the_neuron() -> None:
    records = [r for name in FILES for r in store.load(RESULTS / f"{name}.jsonl")]
    rows = {(row.subject, row.sizes[0]): row for row in parallel_rows(records)}
    assert ("lif@cpu", 1024) not in rows, "nothing is compared with itself"
    loop, pmsn = rows["lif@eager", 1024], rows["pmsn@fft", 1024]
    assert loop.ratio.n == pmsn.ratio.n == 5 and loop.ratio.estimate < pmsn.ratio.estimate < 1
    assert loop.cells["accuracy"] == "97.6% [96.3%, 98.8%], n=3" and pmsn.cells["accuracy"] == "—"
    assert pmsn.cells["differ (soft)"] == "—" and pmsn.cells["B"] == 4
    assert [row.ratio.estimate for row in rows.values()] == sorted(
        (r.ratio.estimate for r in rows.values()), reverse=True
    )


def test_accuracies_are_of_the_tasks_own_recipe_and_a_seed_counts_once() -> None:
    steps, trained = (store.load(RESULTS / f"{name}.jsonl") for name in FILES[:2])
    other = [replace(r, case={**r.case, "network": "[epochs=1]", "seed": 7}) for r in trained]
    rows = {(row.subject, row.sizes[0]): row for row in parallel_rows([*steps, *trained, *other, *trained])}
    assert rows["lif@eager", 1024].cells["accuracy"] == "97.6% [96.3%, 98.8%], n=3"


def test_without_the_fused_lif_there_are_no_rows() -> None:
    records = store.load(RESULTS / f"{FILES[0]}.jsonl")
    assert parallel_rows([r for r in records if r.case["subject"] != "lif@cpu"]) == []


def test_agreement_is_that_of_the_same_options() -> None:
    records = [r for name in FILES for r in store.load(RESULTS / f"{name}.jsonl")]
    fpt = [
        r for r in records if r.case["neuron"] == "fpt" and r.case["workload"] == "layer" and r.case["mode"] == "train"
    ]
    base = [r for r in records if r.case["subject"] == "lif[decay=0.5]@cpu"]
    for r in base:  # as if the LIF with another decay were the baseline of its blocks
        r.case["subject"] = "lif@cpu"
    near = [r for r in records if r.measurement("agreement")]
    found = {row.subject: row for row in parallel_rows([*fpt, *base, *near])}
    soft, hard = found["fpt@scan"].differ or (0.0, 0.0)
    assert 0.3 < soft < 0.5 and hard > soft
    assert found["fpt@scan"].cells["differ (soft)"] == f"{soft:.0%}"


def test_the_figure_has_a_point_for_every_subject_and_length() -> None:
    from spikebench.plots import figures

    (drawing, *_) = figures("parallel", store.frame(store.load(RESULTS / f"{FILES[0]}.jsonl")))
    series = list(drawing.what.series())  # pyright: ignore[reportAttributeAccessIssue]  # it is a chart
    assert [s.subject for s in series] and all(s.form == "points" for s in series)
    assert {p.n for s in series for p in s.points} == {5} and "Above 1" in drawing.caption


def test_one_pair_has_no_interval() -> None:
    from spikebench.plots import figures

    alone = [r for r in store.load(RESULTS / f"{FILES[0]}.jsonl") if r.repeat == 0]
    (drawing, *_) = figures("parallel", store.frame(alone))
    points = list(drawing.what.points())  # pyright: ignore[reportAttributeAccessIssue]  # it is a chart
    assert points and all(p.low is None and p.n == 1 for p in points)
    assert drawing.what.range() is not None  # pyright: ignore[reportAttributeAccessIssue]
