"""A scheme's step stands beside BPTT by the loop and by the fused kernel of the same neuron, in the same blocks."""

from spikebench.analysis.scheme_times import scheme_times
from spikebench.cases.case import Case
from spikebench.records.record import Measurement, Record

TIMES = {
    "lif@eager+bptt": 8.0,
    "lif@cpu+bptt": 2.0,
    "lif@eager+ottt": 4.0,
    "lif[decay=0.5]@eager+sltt": 1.0,
    "lif@eager": 3.0,
}


def measured(T: int = 16) -> list[Record]:
    made: list[Record] = []
    for subject, time in TIMES.items():
        case = Case(subject, T=T, B=6, workload="network", network="shd")
        for k in range(5):
            found = [Measurement("latency", "s", samples=[time * (1 + 0.01 * k)])]
            made.append(Record("r", case.case_id, case.to_json(), repeat=k, measurements=found))
    return made


def test_both_ratios_are_those_of_the_pairs() -> None:
    rows = {row.subject: row for row in scheme_times(measured())}
    assert set(rows) == set(TIMES) - {"lif@eager"}, "what has no scheme has no row"
    assert [r and round(r.estimate, 9) for r in rows["lif@eager+ottt"].ratios.values()] == [2.0, 0.5]
    assert [r and round(r.estimate, 9) for r in rows["lif@cpu+bptt"].ratios.values()] == [4.0, None]
    cells = rows["lif[decay=0.5]@eager+sltt"].cells
    assert (cells["against the loop"], cells["against the fused kernel"]) == ("—", "—"), "another neuron is no opponent"
    assert rows["lif@eager+ottt"].cells["against the loop"] == "2.00x [2.00, 2.00], n=5"


def test_the_shortest_comes_first() -> None:
    assert [row.sizes["T"] for row in scheme_times([*measured(32), *measured(8)])] == [8] * 4 + [32] * 4
