"""The command line: what it prints, what it refuses and how it leaves."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import pytest

from spikebench import registry
from spikebench.cases import sweeps
from spikebench.cases.case import Layer, expect

HERE = Path(__file__).parents[2]


def call(*args: str, cwd: Path = HERE) -> "subprocess.CompletedProcess[str]":
    return commands.run(*args, cwd=cwd, env=surroundings(cwd))


def surroundings(home: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(HERE), "PATH": "/usr/bin:/bin", "HOME": str(home)}


def rows(*args: str, cwd: Path = HERE) -> list[dict[str, Any]]:
    done = call(*args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "--subject", "lif@nope"), "no backend 'nope' for 'lif'; there are "),
        (("run", "--subject", "lfi"), "no neuron 'lfi'; there are "),
        (("run", "--subject", "lif[dekay=1]"), "no option 'dekay' for neuron 'lif'; there are decay, "),
        (
            ("run", "--subject", "lif[reset=sideways]"),
            "reset=sideways is not an option of neuron 'lif'; there are none, soft, hard",
        ),
        (("run", "--subject", "lif[decay=fast]"), "decay=fast of neuron 'lif' must be float"),
        (("run", "--subject", "lif[decay"), "cannot read subject 'lif[decay'"),
        (("run", "--subject", "lif", "-T", "ten"), "-T 'ten' is not a list of whole numbers"),
        (
            ("run", "--subject", "lif", "-T", "0"),
            "-T '0' is not a list of whole numbers in [1, 2147483647]; write -T 128,1024",
        ),
        (
            ("run", "--subject", "lif", "--mode", "sleep"),
            "--mode: there is no 'sleep'; there are inference, forward, train, stream",
        ),
        (("run", "--subject", "lif", "--metric", "beauty"), "no metric 'beauty'; there are "),
        (("run", "--subject", "lif", "--timeout", "soon"), "--timeout 'soon' is not a duration"),
        (("run", "--subject", "lif", "--dtype", "int8"), "--dtype: there is no 'int8'; there are float32"),
        (("run", "nosweep"), "no sweep 'nosweep'; there are smoke, quick"),
        (("run",), "nothing to run"),
        (("run", "--subject", "lif", "--device", "cuda", "-T", "4"), "no CUDA device"),
        (("compare", "lif"), "one subject is no comparison"),
        (("compare", "lif", "lif", "--pairs", "few"), "'few' is not a number of pairs; write 10 or 5-20"),
        (("list", "cellar"), "nothing is listed under 'cellar'; there are neurons"),
        (("show", "nothing.jsonl"), "no results at nothing.jsonl"),
        (("plot", "pie", "nothing.jsonl"), "no results at nothing.jsonl"),
        (("cite", "nobody"), "no neuron 'nobody'"),
        (("check", "nofile.py:Neuron"), "no file nofile.py"),
        (("train", "shd", "--neuron", "lif"), "shd: shd_train.h5 needs a data root; download shd_train.h5"),
        (("train", "nothing", "--neuron", "lif"), "no task 'nothing'; there are "),
    ],
)
def test_bad_input_is_one_line_and_code_2(args: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = call(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("spikebench: ")]) == 1


@pytest.mark.long
def test_dashes_and_underscores_are_the_same_and_lists_are_json() -> None:
    for kind in ("neurons", "backends", "metrics", "sweeps", "networks", "tasks", "claims"):
        assert all("id" in row for row in rows("list", kind, "--json"))
    neurons = {row["id"]: row for row in rows("list", "neurons", "--json")}
    assert set(neurons) == set(registry.names("neurons"))
    assert neurons["spsn"]["stochastic"] is True
    assert sweeps.sweep("smoke") == sweeps.sweep("Smoke".lower())


@pytest.mark.long
def test_doctor_gives_every_metric_a_verdict_a_reason_and_a_remedy() -> None:
    found: Any = rows("doctor", "--json")
    assert set(found["metrics"]) == set(registry.names("metrics"))
    assert {"cpu"} <= set(found["energy"]) <= {"cpu", "cuda"}
    for counter in found["energy"].values():
        assert set(counter) == {"available", "reason", "remedy", "counter", "update_period"}
        assert counter["available"] == (counter["counter"] is not None) == (counter["reason"] is None)
    for verdict in (*found["metrics"].values(), *found["backends"].values()):
        assert set(verdict) == {"available", "reason", "remedy"}
        assert verdict["available"] == (verdict["reason"] is None)
        assert (verdict["reason"] is None) == (verdict["remedy"] is None)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few real records."""
    folder = tmp_path_factory.mktemp("measured")
    sizes = ("-T", "8,16", "-B", "2", "-N", "8", "--samples", "3", "--out", "r.jsonl")
    found = rows("run", "--subject", "lif@eager", "--subject", "lif@indexed", *sizes, "--json", cwd=folder)
    assert [r["status"] for r in found] == ["ok"] * 4
    assert {m["metric"] for m in found[0]["measurements"]} >= {"latency", "peak_memory", "spike_rate", "compile_time"}
    assert found[0]["gate"]["status"] == "passed"
    return folder


@pytest.mark.long
def test_show_and_growth(measured: Path) -> None:
    assert len(rows("show", "r.jsonl", "--json", cwd=measured)) == 4
    shown = call("show", "r.jsonl", cwd=measured).stdout
    assert "lif@indexed" in shown
    assert "ok" in shown


@pytest.mark.long
def test_a_resumed_run_says_what_of_the_file_is_not_from_here(measured: Path) -> None:
    text = (measured / "r.jsonl").read_text()
    others = [json.loads(line) for line in text.splitlines()]
    for record in others[:3]:
        record["environment"]["commit"] = "of another one"
    (measured / "others.jsonl").write_text("".join(json.dumps(r) + "\n" for r in others))
    sizes = ("-T", "16", "-B", "2", "-N", "8", "--samples", "3", "--out", "others.jsonl")
    done = call("run", "--subject", "lif@indexed", *sizes, "--resume", cwd=measured)
    assert "3 records in others.jsonl differ in commit" in done.stderr, done.stderr
    assert "0 records in" in done.stdout  # the one that was measured here is done


@pytest.mark.parametrize("kind", ["scaling", "speedup"])
@pytest.mark.long
def test_plot_writes_a_picture_and_its_caption(measured: Path, kind: str) -> None:
    done = call("plot", kind, "r.jsonl", "-o", "figures", cwd=measured)
    assert done.returncode == 0, done.stderr
    (picture,) = (measured / "figures").glob(f"{kind}-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    caption = picture.with_suffix(".txt").read_text()
    assert "T = 8 to 16" in caption
    assert "B = 2" in caption


@pytest.mark.long
def test_compare_prints_a_row_per_subject(measured: Path) -> None:
    sizes = ("-T", "8", "-B", "2", "-N", "8", "--samples", "3", "--pairs", "3")
    (row,) = rows("compare", "lif@eager", "lif@indexed", *sizes, "--json", cwd=measured)
    wanted = {"subject", "baseline", "case", "metric", "ratio", "low", "high", "n", "verdict", "status", "reason"}
    assert set(row) >= wanted
    assert row["median_low"] <= row["median"] <= row["median_high"]
    assert row["low"] <= row["ratio"] <= row["high"]
    assert (row["n"], row["status"], row["baseline"]) == (3, "ok", "lif@eager")


@pytest.mark.long
def test_diff_exits_with_1_on_a_regression(measured: Path) -> None:
    text = (measured / "r.jsonl").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    for name, scale in (("base", 1.0), ("slow", 2.0)):
        with (measured / f"{name}.jsonl").open("w") as file:
            for k in range(3):
                for record in records:
                    copy = json.loads(json.dumps(record))
                    for m in copy["measurements"]:
                        m["samples"] = [v * scale * (1 + 0.001 * k) for v in m["samples"]]
                    file.write(json.dumps(copy) + "\n")
    done = call("diff", "base.jsonl", "slow.jsonl", "--fail-if-slower", "5%", cwd=measured)
    assert done.returncode == 1
    assert "4 of 4 cases are slower" in done.stderr
    assert call("diff", "base.jsonl", "base.jsonl", "--fail-if-slower", "5%", cwd=measured).returncode == 0


@pytest.mark.long
def test_help_comes_fast_and_without_torch() -> None:
    """CPU time of a process that starts anew, which another process's load does not move as much as the wall."""
    times: list[float] = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        line = [sys.executable, "-m", "spikebench", "--help"]
        subprocess.run(line, cwd=HERE, env=surroundings(HERE), stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.25


def test_the_list_of_commands_says_what_each_of_them_says() -> None:
    """It is read from their files, and not imported with all that they need."""
    from spikebench.cli.app import Commands

    every = Commands()
    assert {"run", "compare", "to-nir"} <= set(every)
    assert dict(every.titles()) == {name: command.help.split("\n")[0] for name, command in every.items()}


@pytest.mark.parametrize(
    "module",
    "registry units cases.case cases.subject cases.sweeps records.store host.environment analysis.assessment report.html plots claims run.runner".split(),
)
def test_what_reads_imports_neither_torch_nor_numba(module: str) -> None:
    code = f"import sys, spikebench, spikebench.{module}; print({{'torch', 'triton', 'numba'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.long
def test_public_names_are_what_they_are_called() -> None:
    code = (
        "import spikebench as sb, spikebench.neuron, spikebench.experiments.compare, torch\n"
        "m = sb.neuron('lif[reset=soft]@eager', N=4, T=8)\n"
        "print(tuple(m(torch.zeros(8, 2, 4)).shape), [n for n in sb.__all__ if not hasattr(sb, n)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(8, 2, 4) []"


def test_a_sweep_keeps_its_own_rates_and_takes_only_what_is_given() -> None:
    import spikebench as sb

    wanted = sweeps.sweep("agreement")
    assert len({expect(c, Layer).rate for c in wanted}) == 3
    assert sb.sweep("agreement") == wanted
    assert {c.dtype for c in sb.sweep("agreement", dtype="float64")} == {"float64"}


@pytest.mark.long
def test_a_sweep_samples_what_it_is_read_by(tmp_path: Path) -> None:
    known = registry.names("metrics")
    assert all(sweeps.metrics(name) and set(sweeps.metrics(name)) <= set(known) for name in sweeps.METRICS)
    assert set(sweeps.METRICS) <= set(sweeps.SWEEPS) and sweeps.metrics("quick") == ()
    given = ("--subject", "lif@cpu", "-T", "8", "-B", "1", "-N", "4", "--out", str(tmp_path / "r.jsonl"), "--json")
    (record,) = rows("run", "floor", *given)
    (chosen,) = rows("run", "floor", *given, "--metric", "spike_rate")
    assert [m["metric"] for m in record["measurements"]] == list(sweeps.metrics("floor"))
    assert [m["metric"] for m in chosen["measurements"]] == ["spike_rate"]


def test_a_comparison_of_long_names_shows_its_numbers_whole(capsys: pytest.CaptureFixture[str]) -> None:
    from spikebench import units
    from spikebench.analysis import paired, stats
    from spikebench.analysis.comparison import Comparison
    from spikebench.cases.case import Case
    from spikebench.cli._tables import comparison_table

    base, other = "lif[detach_reset=true,reset=hard,slope=1.0,surrogate=fast_sigmoid]@", "a" * 60
    ratio = stats.paired_ratio([4.0, 4.1, 4.2, 4.0, 4.1], [0.101, 0.1, 0.102, 0.1, 0.1])
    case = Case("lif@cpu", T=10000, B=16, N=512)
    result = paired.Result(ratio, "faster", medians=(4.1, 0.1))
    row = Comparison(base + "cpu", base + other, case, "latency", result, None)
    comparison_table([row])
    printed = capsys.readouterr().out
    assert units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n) in printed
    assert "faster" in printed
    assert other[:20] in printed
