"""Figures: what stands in them on fixed frames, and that the committed ones are those of the committed records."""

import base64
import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from spikebench.analysis.agreement import decay_of
from spikebench.analysis.scaling import scaling_rows
from spikebench.errors import Problem
from spikebench.plots import _draw, draw, figures, kinds, raster, text
from spikebench.plots import _style as style
from spikebench.plots._chart import Chart, Point, Series, View
from spikebench.plots._labels import apart, label_rule
from spikebench.plots._names import LONGEST_NAME, named
from spikebench.plots._over import family, panels
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "figures"
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
QUICK = RESULTS / "quick.jsonl"
DRAWN = [("speedup", QUICK), ("scaling", QUICK), ("scaling", RESULTS / "length.jsonl")]  # by `make figures`
CLAIMS = ROOT / "results" / "amd-epyc-f25m17-2c" / "claims.jsonl"
DRAWN += [("frontier", QUICK)]
DRAWN += [(kind, CLAIMS.with_name("schemes.jsonl")) for kind in ("frontier", "scaling", "plane")]
DRAWN += [("pareto", QUICK), ("pareto", RESULTS / "fsdd.jsonl")]
DRAWN += [
    ("waterfall", CLAIMS),
    ("learning", RESULTS / "listops.jsonl"),
    ("libraries", ROOT / "results" / "amd-epyc-*" / "libraries.jsonl"),
]
DRAWN += [("headline", CLAIMS)]
DRAWN += [(kind, CLAIMS.with_name(f"{kind}.jsonl")) for kind in ("bottleneck", "agreement")]
DRAWN += [(kind, ROOT / "results" / "intel-xeon-f6m167-2c" / f"{kind}.jsonl") for kind in ("parallel", "depth")]


def record(subject: str, T: int, **samples: list[float]) -> Record:
    """A record with samples by metric; none of them is an oom."""
    name, _, backend = subject.partition("@")
    case = {
        "subject": subject,
        "neuron": name,
        "backend": backend,
        "T": T,
        "B": 4,
        "N": 8,
        "mode": "train",
        "rate": 0.3,
    }
    case |= {"workload": "layer", "dtype": "float32", "device": "cpu", "seed": 0, "network": None, "task": None}
    found = [Measurement(m, "s", samples=v) for m, v in samples.items()]
    about: dict[str, Any] = {} if found else {"status": "oom", "reason": "std::bad_alloc"}
    where: Any = {"machine": "m", "time": 1.79e9}
    return Record("r", f"{subject}{T}", cast(CaseJson, case), measurements=found, environment=where, **about)


def trained(subject: str, seed: int, accuracy: float, seconds: float) -> Record:
    made = record(subject, 0, epoch_time=[seconds] * 3, accuracy=[accuracy])
    made.case.update(workload="training", task="t", seed=seed)
    return replace(made, case_id=f"{subject}{seed}")


@pytest.fixture(autouse=True)
def in_our_style() -> Iterator[None]:
    with _draw.applied():
        yield
    plt.close("all")


def only(kind: str, records: list[Record], view: View | None = None) -> Chart:
    """The one chart there is."""
    [found] = figures(kind, store.frame(records), view or View())
    assert isinstance(found.what, Chart)
    return found.what


def caption(kind: str, records: list[Record]) -> str:
    [found] = figures(kind, store.frame(records))
    return found.caption


def lines(chart: Chart) -> dict[str, list[tuple[float, float]]]:
    return {s.subject: [(p.x, p.y) for p in s.points] for s in chart.series()}


LENGTHS = [
    record("lif@eager", 128, latency=[1.0, 2.0, 3.0], peak_memory=[2.0**20], energy=[1e-3]),
    record("lif@eager", 512, latency=[4.0, 8.0, 12.0], peak_memory=[2.0**22], energy=[4e-3]),
    record("lif@eager", 2048),
    record("spsn@cpu", 128, latency=[0.5], peak_memory=[2.0**19], energy=[1e-4]),
    record("spsn@cpu", 2048, latency=[2.0], peak_memory=[2.0**23], energy=[1e-3]),
]


@pytest.mark.parametrize(("kind", "factor"), [("scaling", 2.0), ("frontier", 2.0**20), ("energy", 1e-3)])
def test_lines_over_T(kind: str, factor: float) -> None:
    chart, said = only(kind, LENGTHS), caption(kind, LENGTHS)
    assert {s: v for s, v in lines(chart).items() if s == "lif@eager"} == {
        "lif@eager": [(128, pytest.approx(factor)), (512, pytest.approx(4 * factor))]
    }
    assert list(lines(chart)) == ["lif@eager", "spsn@cpu"]
    assert chart.x.scale == chart.y.scale == "log"
    assert "Machine: m. T = 128 to 2,048; B = 4; N = 8. Mode: train. 4 processes, n = 1 of each case" in said
    assert "Measured 2026-09-21." in said and "Hollow: n = 1" in said


@pytest.mark.parametrize("kind", ["scaling", "frontier", "energy"])
def test_gaps_are_drawn_with_their_reason(kind: str) -> None:
    chart, said = only(kind, LENGTHS), caption(kind, LENGTHS)
    assert "lif@eager at T = 2,048: oom (std::bad_alloc)" in said and "spsn@fused at T = 512: not measured" in said
    assert {s.subject: s.failed for s in chart.series()} == {"lif@eager": (2048,), "spsn@cpu": ()}
    figure = _draw.drawn(chart, _draw.STYLES["screen"], 7.0)
    [cross] = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert cross.get_color() == style.colour("lif")
    drawn = [np.asarray(c.get_xdata()).tolist() for c in figure.axes[0].lines if c.get_label() == "lif@eager"]
    assert drawn == [[128, 512]]


def test_an_interval_is_over_processes_and_a_hollow_mark_has_none() -> None:
    records = [
        replace(record("lif@cpu", T, latency=[T * v, T * v]), repeat=k)
        for T in (128, 256)
        for k, v in enumerate((1.0, 1.2))
    ]
    records += [record("lif@eager", T, latency=[1.0, 2.0, 3.0]) for T in (128, 256)]
    several, one = only("scaling", records).series()
    low, high = np.exp(np.log(128 * np.sqrt(1.2)) + np.array([-1, 1]) * 12.706204736 * np.log(1.2) / 2)
    assert (several.points[0].low, several.points[0].high) == pytest.approx((low, high), rel=1e-6)
    assert several.points[0].n == 2 and not several.points[0].known, "wider than a factor 2"
    assert (one.points[0].low, one.points[0].n, one.points[0].spread) == (None, 1, pytest.approx((1.1, 2.9)))
    assert several.note.startswith("T^1.00 [") and one.note == "T^0.00, n = 1"
    assert Point(1, 1.5, 1.1, 2.1).known and not Point(1, 1.5, 1.0, 2.1).known


def test_host_bound_times_have_no_exponent() -> None:
    records = [record("lif@cpu", T, latency=[float(T)]) for T in (128, 256, 512)]
    assert only("scaling", records).panels[0].series[0].note == "T^1.00, n = 1"
    bound = [replace(r, flags=["host_bound"]) for r in records]
    assert only("scaling", bound).panels[0].series[0].note == "host-bound"
    [free], [held] = scaling_rows(records), scaling_rows(bound)
    fitted = ("a", "b", "bT/a", "scaling exponent")
    assert [held.cells[k] for k in fitted] == ["host-bound"] * 4 and free.cells["scaling exponent"] == "1.00, n=1"
    assert held.cells["T"] == free.cells["T"] == "128…512"


def test_a_baseline_gives_ratios_of_pairs() -> None:
    chart = only("frontier", LENGTHS, View(baseline="@eager"))
    assert lines(chart) == {"spsn@cpu": [(128, pytest.approx(2.0))]}
    assert chart.y.unit == "x" and chart.panels[0].rule == (1.0, "lif@eager")
    [found] = figures("frontier", store.frame(LENGTHS), View(baseline="lif@eager"))
    assert "that of lif@eager over that of each subject: mean ratio of pairs" in found.caption
    assert "geometric mean" not in found.caption
    with pytest.raises(Problem, match="no single baseline 'psu' in this figure; there are lif@eager, spsn@fused"):
        only("scaling", LENGTHS, View(baseline="psu"))
    with pytest.raises(Problem, match="a figure raster compares nothing with a baseline"):
        list(figures("raster", store.frame(LENGTHS), View(baseline="lif")))


def test_subjects_are_chosen() -> None:
    for name in ("spsn", "@fused", "spsn@cpu", "spsn@fused"):
        assert list(lines(only("scaling", LENGTHS, View((name,))))) == ["spsn@cpu"], name
    with pytest.raises(Problem, match="no subject 'psu' in these records; there are lif@eager, spsn@fused"):
        only("scaling", LENGTHS, View(("psu",)))


def many(neuron: str, count: int) -> list[Series]:
    return [
        Series(f"{neuron}[decay=0.{k}]@cpu", (Point(128, 1.0), Point(256 + 256 * (k > 2), 1.0 + k)))
        for k in range(1, count + 1)
    ]


def test_six_lines_of_a_family_have_a_colour() -> None:
    assert [len(p.series) for p in panels(many("lif", 6), View())] == [6]
    lif, spsn = panels([*many("lif", 8), *many("spsn", 2)], View())
    assert (lif.title, spsn.title) == ("LIF", "stochastic, parallel in time")
    assert [s.subject[-6] for s in lif.series if s.muted] == ["1", "2"], "those that were not measured as far"
    assert len(lif.series) == 8 and not any(s.muted for s in spsn.series)
    named_by_hand = panels(many("lif", 8), View(("lif",)))
    assert [len(p.series) for p in named_by_hand] == [6, 2] and not any(
        s.muted for p in named_by_hand for s in p.series
    )


def test_the_line_of_ones_own_is_bold_and_never_grey() -> None:
    records = [record(f"lif[decay=0.{k}]@cpu", T, latency=[T * float(k)]) for k in range(1, 9) for T in (128, 256)]
    chart = only("scaling", records, View(bold="lif[decay=0.8]@cpu"))
    assert [(s.subject[-6], s.muted) for s in chart.series() if s.bold] == [("8", False)]
    figure = _draw.drawn(chart, _draw.STYLES["screen"], 7.0)
    weights = {t.get_text()[:16]: t.get_fontweight() for t in figure.axes[0].texts}
    assert [name for name, weight in weights.items() if weight == "bold"] == ["lif[decay=0.8]@f"]


def test_grey_lines_are_named_in_the_caption_and_have_no_label() -> None:
    records = [record(f"lif[decay=0.{k}]@cpu", T, latency=[T * float(k)]) for k in range(1, 9) for T in (128, 256)]
    said, chart = caption("scaling", records), only("scaling", records)
    assert "Grey: lif[decay=0.7]@fused, lif[decay=0.8]@fused; --subjects draws them in colour." in said
    figure = _draw.drawn(chart, _draw.STYLES["screen"], 7.0)
    labels = [t.get_text().split("\n")[0] for t in figure.axes[0].texts]
    assert labels == [f"lif[decay=0.{k}]@fused" for k in range(1, 7)]
    colours = [t.get_color() for t in figure.axes[0].texts]
    assert len(set(colours)) == 6


def test_labels_do_not_overlap() -> None:
    records = [
        record(f"lif[decay=0.{k}]@cpu", T, latency=[T * (1 + k / 1000)]) for k in range(1, 7) for T in (128, 256)
    ]
    figure = _draw.drawn(only("scaling", records), _draw.STYLES["screen"], 7.0)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(t) for t in figure.axes[0].texts]
    assert len(boxes) == 6 and not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert max(b.x1 for b in boxes) <= figure.bbox.x1 + 1, "and end inside the figure"
    assert apart([5.0, 5.0, 90.0], [10.0] * 3, 100.0) == [5.0, 15.0, 90.0]


@pytest.mark.parametrize(
    ("y", "at", "bordered"),
    [
        ([0.5, 0.5, 2.0], (0, "bottom"), False),
        ([1.1, 1.1, 2.0], (1, "bottom"), False),
        ([1.1, 1.1, 1.1], (0, "top"), False),
        ([0.7, 1.3] * 10, (0, "bottom"), True),
    ],
)
def test_the_name_of_a_rule_stands_where_no_data_cross_it(y: list[float], at: tuple[int, str], bordered: bool) -> None:
    with _draw.applied():
        figure, axes = plt.subplots()
        axes.plot(np.linspace(0, 1, len(y)), y)
        axes.set_ylim(0, 3)
        label_rule(axes, 1.0, "a rule with a name", 8, "black")
    (label,) = cast(list[Any], axes.texts)
    _draw.close(figure)
    assert (label.xy[0], label.get_va()) == at and bool(label.get_path_effects()) == bordered


def test_marks_of_T_do_not_overlap() -> None:
    records = [record("lif@cpu", T, latency=[float(T)]) for T in (128, 256, 512, 1024, 2048, 4096, 8192, 10000)]
    with _draw.applied("paper"):
        figure = _draw.drawn(only("scaling", records), _draw.STYLES["paper"], 3.25)
        figure.draw_without_rendering()
        texts = [t for t in figure.axes[0].get_xticklabels() if t.get_text()]
        boxes = sorted((t.get_window_extent() for t in texts), key=lambda box: box.x0)
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes)) and 3 < len(boxes) < 8
    assert "10,000" in [t.get_text() for t in texts], "the longest stays"


def test_unavailable_is_no_zero() -> None:
    absent = record("lif@cpu", 128, latency=[1.0])
    absent.measurements.append(Measurement("energy", "J", "unavailable", "no counter"))
    assert list(figures("energy", store.frame([absent]))) == []
    assert "lif@fused at T = 128: unavailable (no counter)" in caption("energy", [*LENGTHS, absent])


def test_pareto_front() -> None:
    runs = [("a@cpu", 0.9, 1.0), ("b@cpu", 0.8, 2.0), ("c@cpu", 0.95, 3.0)]
    records = [trained(s, k, a + k / 100, t) for s, a, t in runs for k in range(2)]
    [found] = figures("pareto", store.frame(records))
    chart = found.what
    assert isinstance(chart, Chart)
    front = next(s for s in chart.series() if s.form == "steps")
    assert found.name == "pareto-t" and [round(p.y, 3) for p in front.points] == [0.905, 0.955]
    means = [s for s in chart.series() if s.labelled and not s.small]
    assert [(s.subject, s.points[0].n) for s in means] == [("a@cpu", 2), ("b@cpu", 2), ("c@cpu", 2)]
    assert means[0].points[0].across == pytest.approx((1.0, 1.0)) and means[0].points[0].low is not None
    assert "6 processes, n = 2 of each subject" in found.caption
    assert list(figures("pareto", store.frame(records[:2]))) == [], "one subject has no front"


def test_the_plane_has_memory_time_and_accuracy() -> None:
    runs = [("lif@eager+bptt", 0.9, 1.0, 8e6), ("lif@eager+ottt", 0.8, 2.0, 1e6), ("lif@cpu", 0.7, 3.0, None)]
    records = [trained(s, k, a, t) for s, a, t, _ in runs for k in range(2)]
    for r, memory in zip(records, (m for *_, m in runs for _ in range(2)), strict=True):
        r.measurements.extend([Measurement("tensor_memory", "B", samples=[memory])] if memory else [])
    [found] = figures("plane", store.frame(records))
    chart = found.what
    assert isinstance(chart, Chart) and found.name == "plane-t"
    points = {s.subject: (s.points[0], s.colour, s.note) for s in chart.series()}
    assert list(points) == ["lif@eager+bptt", "lif@eager+ottt"], "what has no memory has no place"
    assert {s: (p.x, p.y, p.n) for s, (p, _, _) in points.items()} == {
        "lif@eager+bptt": (pytest.approx(1.0), pytest.approx(8e6), 2),
        "lif@eager+ottt": (pytest.approx(2.0), pytest.approx(1e6), 2),
    }
    assert [c for _, c, _ in points.values()] == ["#082A5E", "#6BA3D6"], "the darker, the more accurate"
    assert [n for *_, n in points.values()] == ["90.0% [90.0%, 90.0%]", "80.0% [80.0%, 80.0%]"]
    assert list(figures("plane", store.frame(records[:2]))) == []


def test_tensors_have_a_figure_of_their_own() -> None:
    made = [record("lif@cpu", T, peak_memory=[2.0 * T], tensor_memory=[1.0 * T]) for T in (128, 256)]
    found = {f.name: f.what for f in figures("frontier", store.frame(made))}
    assert set(found) == {"frontier-train-B4-N8-cpu", "frontier-tensors-train-B4-N8-cpu"}
    assert lines(cast(Chart, found["frontier-tensors-train-B4-N8-cpu"])) == {
        "lif@cpu": [(128, pytest.approx(128)), (256, pytest.approx(256))]
    }


def test_schemes_stand_in_panels_by_what_they_keep() -> None:
    families = [
        family(f"lif[decay=0.5]@eager+{s}") for s in ("ottt", "sltt_k", "proxy", "conversion", "bptt", "sparse")
    ]
    assert families == ["online"] * 2 + ["by a network without spikes"] * 2 + ["all steps at once, or one"] * 2
    assert family("lif@eager") == "LIF" and family("c++/x.py:Foo") == "own neurons"


def test_sparsity() -> None:
    made = [record("lif@cpu", 128, latency=[1.0 + r], spike_rate=[r]) for r in (0.3, 0.05)]
    for r, rate in zip(made, (0.3, 0.05), strict=True):
        r.case["rate"] = rate
    assert lines(only("sparsity", made)) == {"lif@cpu": [(0.05, pytest.approx(1.05)), (0.3, pytest.approx(1.3))]}
    assert list(figures("sparsity", store.frame(made[:1]))) == []


def libraries(modes: tuple[str, ...] = ("train",)) -> list[Record]:
    made: list[Record] = []
    for mode in modes:
        for backend, seconds in (("snntorch", 4.0), ("norse", 3.0), ("eager", 2.0), ("cpu", 1.0)):
            for T, k in ((100, 0), (100, 1), (1000, 0)):
                made.append(replace(record(f"lif@{backend}", T, latency=[seconds * T * (1 + k / 100)] * 2), repeat=k))
                made[-1].case["mode"] = mode
                made[-1] = replace(made[-1], case_id=f"{mode}{made[-1].case_id}")
    return made


def test_libraries_have_a_colour_each_and_ours_is_the_fused_kernel() -> None:
    chart = only("libraries", libraries(("train", "forward")))
    assert [p.title for p in chart.panels] == ["forward", "train"] and chart.x.names == ("100", "1,000")
    assert [s.note for s in chart.panels[0].series] == ["Norse", "snnTorch", "spikebench, fused"]
    assert len({s.colour for s in chart.panels[0].series}) == 3
    assert [(p.x, p.n, p.known) for p in chart.panels[0].series[0].points] == [(0, 2, True), (1, 1, False)]
    ratios = only("libraries", libraries(), View(baseline="snnTorch"))
    assert {s.note: round(s.points[0].y, 6) for s in ratios.series()} == {"Norse": 1.333333, "spikebench, fused": 4.0}
    loop = only("libraries", libraries(), View(baseline="@eager"))
    assert loop.y.label == "speed-up over @eager" and len(list(loop.series())) == 3, "a baseline may be no library"
    figure = _draw.drawn(chart, _draw.STYLES["screen"], 7.0)
    [legend] = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["Norse", "snnTorch", "spikebench, fused"]
    figure.draw_without_rendering()
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent()), "it hides no bar"


def test_headline() -> None:
    sides = {"lif@indexed": 100.0, "lif@cpu": 0.1, "spsn@cpu": 0.11}
    records = [
        replace(record(s, T, latency=[t * (1 + (k + len(s)) / 1000)] * 3), repeat=k)
        for T in (100, 1000) for s, t in sides.items() for k in range(5)
    ]  # fmt: skip
    [found] = figures("headline", store.frame(records))
    chart = found.what
    assert isinstance(chart, Chart)
    assert chart.title.startswith("T = 1,000: 1,004 times as fast without changing the neuron, 0.91 times")
    assert found.name == "headline-train-T1000-B4-N8-cpu" and "n = 5" in [*chart.points()][1].said
    assert list(figures("headline", store.frame(r for r in records if r.repeat < 1))) == [], "one pair is no factor"


def test_text_in_the_terminal() -> None:
    [shown] = text("scaling", store.frame(LENGTHS), width=60)
    grid = [line for line in shown.splitlines() if "|" in line]
    assert max(map(len, shown.splitlines())) <= 60 or "lif@eager" in shown
    assert grid[0].split("|")[0].strip() == "8.00 s" and grid[-1].split("|")[0].strip() == "500 ms"
    assert [line.split("|")[1][0] for line in grid if line.split("|")[1][:1] in ("a", "b")] == ["a", "b"]
    assert "a  lif@eager: 8.00 s at 512 (n = 1: no interval)  T^1.00, n = 1" in shown and "Machine: m" in shown
    with pytest.raises(Problem, match="cannot be drawn as text"):
        list(text("raster", store.frame([fired("lif@eager", [[0, 1]])], details=True)))


@pytest.mark.parametrize("kind", ["scaling", "libraries"])
def test_a_paper_has_two_widths_and_embedded_fonts(kind: str, tmp_path: Path) -> None:
    paths = draw(kind, store.frame(libraries()), tmp_path, style="paper")
    widths = {}
    for path in paths:
        data = path.read_bytes()
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) [\d.]+ \]", data)
        assert path.suffix == ".pdf" and box is not None
        widths[path.stem.rpartition("-")[2]] = float(box[1]) / 72
        assert b"/FontFile2" in data and b"/CIDFontType2" in data and b"/Type3" not in data
    assert widths == {"3.25in": 3.25, "6.75in": 6.75}
    assert [p.suffix for p in tmp_path.glob("*.txt")] == [".txt"]
    with pytest.raises(Problem, match="no style 'poster'; there are screen, paper"):
        draw(kind, store.frame(libraries()), tmp_path, style="poster")


def fired(subject: str, spikes: list[list[int]]) -> Record:
    """A record with the spikes [steps, neurons] of the first neurons of a layer of 8; the others are silent."""
    bits, made = np.array(spikes), record(subject, len(spikes))
    detail: dict[str, Any] = {"steps": bits.shape[0], "neurons": bits.shape[1], "counts": bits.sum(1).tolist()}
    detail |= {"bits": base64.b64encode(np.packbits(bits != 0).tobytes()).decode(), "most": int(bits.max())}
    found = Measurement("raster", "1", samples=[float(bits.mean())], detail=detail)
    return replace(made, status="ok", reason=None, measurements=[found])


def test_raster() -> None:
    lif, spsn = [[0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], [[1, 1, 2], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    records = [fired("lif@eager", lif), fired("spsn@cpu", spsn), record("psu@cpu", 4)]
    [(name, figure, said)] = raster.figures(store.frame(records, details=True))
    marks, counts, others, _ = figure.axes
    assert name == "raster-train-T4-B4-N8-rate0.3-cpu"
    lines: Any = marks.collections[0]
    drawn = {(round(p[0][0]), round(p[:, 1].mean())) for p in lines.get_segments()}
    assert drawn == {(0, 1), (1, 0), (2, 1), (2, 2)}, "a mark at (step, neuron)"
    assert marks.get_ylim() == (2.5, -0.5) and marks.get_xlim() == (-0.5, 3.5)
    steps: Any = counts.patches[0]
    assert list(steps.get_data().values) == [1, 1, 2, 0]
    assert [a.get_title(loc="left") for a in (marks, others)] == ["lif@eager", "spsn@fused"]
    assert "psu@fused at T = 4: oom (std::bad_alloc)" in said
    assert "first 3 of 8 neurons of one batch item over the first 4 of 4 steps" in said
    assert "lif@eager 0.333, spsn@fused 0.417. A mark is a step with at least one spike" in said
    assert "T = 4; B = 4; N = 8. Mode: train. 2 processes" in said
    [(_, _, alone)] = raster.figures(store.frame(records[:1], details=True))
    assert "at least one" not in alone


def test_raster_draws_six_and_names_the_others() -> None:
    records = [fired(f"lif[decay=0.{k}]@eager", [[0, 1]]) for k in range(1, 9)]
    [(_, figure, said)] = raster.figures(store.frame(records, details=True))
    assert len(figure.axes) == 12
    assert said.count("no place beside 6 others") == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", None), ("steps", 99), ("neurons", None), ("bits", "??"), ("bits", ""), ("counts", None)],
)
def test_raster_leaves_out_what_is_torn(key: str, value: Any) -> None:
    torn = fired("lif@eager", [[0, 1]])
    torn.measurements[0].detail[key] = value
    assert list(raster.figures(store.frame([torn], details=True))) == []


def test_raster_asks_for_details() -> None:
    with pytest.raises(Problem, match="make the frame with details=True"):
        list(raster.figures(store.frame([fired("lif@eager", [[0, 1]])])))


def test_the_first_of_a_neuron_has_its_colour_and_a_backend_one_line() -> None:
    subjects = ["spsn@eager", "lif@eager", "lif@cpu", "lif[decay=0.5]@cpu", "p.py:Mine@eager"]
    colours = style.colours(subjects)
    assert colours["spsn@eager"] == style.colour("spsn") and colours["lif@eager"] == style.colour("lif")
    assert len(set(colours.values())) == len(subjects)
    assert style.look("lif@eager").dashes == style.look("spsn@eager").dashes != style.look("lif@cpu").dashes


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_are_seen_on_white() -> None:
    assert len(set(style.COLOURS)) == len(style.COLOURS)
    assert min(1.05 / (luminance(c) + 0.05) for c in style.COLOURS) > 2


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    odd = ["$\\frac{@eager", "_hidden@eager", "<b>&amp;@eager", "x" * 500 + "@eager"]
    records = [record(s, T, latency=[1.0]) for s in odd for T in (128, 256)]
    [path] = draw("scaling", store.frame(records), tmp_path, ("svg",))
    assert "$\\frac{@eager" in path.read_text() and "_hidden@eager" in path.read_text()
    assert "<b>" not in path.read_text()
    assert f"A: {'x' * 500}." in path.with_suffix(".txt").read_text(), "a long name is in the caption, whole"


def test_a_name_makes_no_folder(tmp_path: Path) -> None:
    records = [record("lif@cpu", T, latency=[1.0]) for T in (128, 256)]
    for r in records:
        r.case["mode"] = "../../up"
    [path] = draw("scaling", store.frame(records), tmp_path / "in", ("png",))
    assert path.parent == tmp_path / "in" and path.exists()


@pytest.mark.parametrize("kind", kinds())
def test_nothing_to_draw_is_said(kind: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=f"nothing to draw as {kind}"):
        draw(kind, store.frame([record("lif@cpu", 128)]), tmp_path)


def test_formats(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no format gif; there are png, svg, pdf"):
        draw("scaling", store.frame(LENGTHS), tmp_path, ("gif",))
    paths = draw("scaling", store.frame(LENGTHS), tmp_path, ("png", "svg", "pdf"))
    assert [p.read_bytes()[:5] for p in paths] == [b"\x89PNG\r", b"<?xml", b"%PDF-"]


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in DRAWN}))
def test_committed_figures_are_those_of_the_records(kind: str, tmp_path: Path) -> None:
    drawn_with = re.search(r"Matplotlib v([\w.]+)", next(DOCS.glob("*.svg")).read_text())
    if drawn_with is None or drawn_with[1] != matplotlib.__version__:
        pytest.skip(
            f"the figures were drawn with matplotlib {drawn_with and drawn_with[1]}, here is {matplotlib.__version__}"
        )
    for path in (path for k, path in DRAWN if k == kind):
        draw(kind, store.table(path, details=True), tmp_path)
    there = {p.name for p in DOCS.glob(f"{kind}-*")}
    assert there == {p.name for p in tmp_path.iterdir()}, "run make figures"
    for path in sorted(tmp_path.iterdir()):
        assert same_drawing(path, DOCS / path.name), f"{path.name} is not what the records give: run make figures"


def same_drawing(one: Path, other: Path) -> bool:
    """The same but for the last digits of coordinates: logarithms differ in them from processor to processor."""
    if one.suffix != ".svg":
        return one.read_bytes() == other.read_bytes()
    number = re.compile(r"-?\d+\.\d+")
    texts = one.read_text(), other.read_text()
    found = [[float(n) for n in number.findall(text)] for text in texts]
    return number.sub("#", texts[0]) == number.sub("#", texts[1]) and np.allclose(*found, rtol=0, atol=1e-4)


def test_a_drawing_with_one_other_point_is_another(tmp_path: Path) -> None:
    for suffix in ("svg", "png"):
        path = next(DOCS.glob(f"frontier-*.{suffix}"))
        assert same_drawing(path, path)
    shown = next(DOCS.glob("frontier-*.svg"))
    moved, rounded, renamed = (tmp_path / f"{n}.svg" for n in range(3))
    text = shown.read_text()
    number = next(n for n in re.findall(r"\d+\.\d{6}", text) if float(n) > 100)
    moved.write_text(text.replace(number, f"{float(number) + 1:.6f}"))
    rounded.write_text(text.replace(number, f"{float(number) + 1e-6:.6f}"))
    renamed.write_text(text.replace("lif", "fil"))
    assert same_drawing(rounded, shown) and not same_drawing(moved, shown) and not same_drawing(renamed, shown)
    spsn = next(DOCS.glob("pareto-*.png"))
    assert not same_drawing(next(DOCS.glob("frontier-*.png")), spsn)


def test_make_figures_draws_what_is_tested() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nfigures:")[1].split("\n\n")[0]
    named = re.findall(r"spikebench plot (\w+) '?([^\s']+)", recipe)
    assert named == [(kind, str(path.relative_to(ROOT))) for kind, path in DRAWN]


def test_agreement_stands_at_the_decay_of_the_neuron_where_none_is_given() -> None:
    subjects = ["psu[decay=0.9]@eager", "psu@eager", "spsn[mem_decay=0.95,syn_decay=0.95]@eager", "newton_lif@eager"]
    assert [decay_of(s) for s in subjects] == [0.9, 0.5, 0.95, 0.9]


def test_long_names_get_letters_and_keep_their_backend() -> None:
    options = "reset=hard,detach_reset=true,surrogate=fast_sigmoid,slope=1.0"
    subjects = [
        "lif@cpu",
        f"lif[{options}]@spikingjelly",
        f"lif[{options}]@norse",
        "lif[decay=0.123456,threshold=2.0]@cpu",
    ]
    names = named([*subjects, "some/where/deep/in/a/folder/paper.py:MyNeuron@eager"])
    assert [names.of(s) for s in subjects] == ["lif@fused", "lif[A]@spikingjelly", "lif[A]@norse", "lif[B]@fused"]
    assert names.key["A"] == options and names.key["B"] == "decay=0.123456,threshold=2.0"
    assert list(names.short.values())[-1] == "paper.py:MyNeuron@eager"
    assert max(map(len, names.short.values())) <= LONGEST_NAME
