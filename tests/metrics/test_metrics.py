"""Metrics on counters that are replayed and on networks whose operations can be counted by hand."""

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikebench.cases.case import Case
from spikebench.host import energy as energy_counter
from spikebench.host.clock import CpuClock, FakeClock
from spikebench.host.energy import NoCounter, Nvml, Polling, Rapl, update_period
from spikebench.metric import Plan, Running, Unavailable, measure
from spikebench.metrics import device_time, energy, host_time, kernel_launches, raster, spike_rate, synops
from spikebench.records.record import Record
from spikebench.workloads import network as network_workload
from spikebench.workloads.layer import build

CASE = Case("lif@eager", T=4, B=2, N=5)


class Work:
    """A launcher that burns 10 W for half a second over an idle power of 4 W."""

    case = CASE

    def __init__(self) -> None:
        self.joules = 100.0

    def launch(self) -> None:
        self.joules += 7.0


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Running:
    work: Any = Work()
    clock = Advancing(work)
    monkeypatch.setattr(energy.time, "sleep", clock.rest)
    return Running(work, clock, Plan(warmup_seconds=1.0))


class Advancing(FakeClock):
    """A clock that half a second per launch moves on."""

    def __init__(self, work: Work) -> None:
        super().__init__([0.0])
        self.work = work

    def rest(self, seconds: float) -> None:
        self._time += seconds
        self.work.joules += 4 * seconds

    def measure(self, call: Any) -> float:
        joules, time = self.work.joules, self._time
        call()
        if self._time == time:
            self._time += (self.work.joules - joules) / 14
        return self._time - time


def test_energy_is_the_counter_over_a_window_of_at_least_five_seconds_gross_and_net_of_idle(running: Running) -> None:
    work: Any = running.workload
    assert energy.window(running, Nvml(lambda: int(work.joules * 1e3))) == pytest.approx([7.0], rel=1e-3)
    detail = running.detail
    assert min(detail["windows"]) >= 5 and 0 <= detail["delays"][0] <= energy.LATEST
    assert detail["idle_watts"] == pytest.approx(4.0, rel=1e-3)
    assert detail["net_joules"] == pytest.approx([7.0 - 4.0 * 0.5], rel=1e-3), "half a second of rest takes 2 J"
    assert detail["joules_per_neuron_step"] == pytest.approx([7.0 / 40], rel=1e-3)  # the counter is in mJ
    assert (detail["counter"], detail["method"]) == ("NVML total energy", "counter")
    assert "part of the time" in detail["sampling"] and "warm cache" in detail["state"]
    assert "cpu" not in detail


def test_energy_of_a_gpu_has_the_cpus_beside_it_or_says_why_not(running: Running) -> None:
    work: Any = running.workload
    cpu = Nvml(lambda: int(work.joules * 2e3))
    energy.window(running, Nvml(lambda: int(work.joules * 1e3)), cpu)
    assert running.detail["cpu"]["joules"] == pytest.approx([14.0], rel=1e-3)
    assert running.detail["cpu"]["net_joules"] == pytest.approx([14.0 - 8.0 * 0.5], rel=1e-3)
    energy.window(running, Nvml(lambda: int(work.joules * 1e3)), None, "no RAPL here")
    assert running.detail["cpu"] == {"unavailable": "no RAPL here"}


def test_windows_start_at_random(running: Running) -> None:
    work: Any = running.workload
    delays = set[float]()
    for _ in range(3):
        energy.window(running, Nvml(lambda: int(work.joules * 1e3)))
        delays |= set(running.detail["delays"])
    assert len(delays) == 3


def test_a_counter_that_stands_still_is_unavailable_never_zero(running: Running) -> None:
    with pytest.raises(Unavailable, match=r"NVML total energy stood still for [56] s"):
        energy.window(running, Nvml(lambda: 5))


def test_no_counter_is_unavailable_with_the_reason(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy_counter, "POWERCAP", Path("/nowhere"))
    found = measure("energy", running)
    assert (found.status, found.samples) == ("unavailable", [])
    assert found.reason == "no RAPL counter in /sys/class/powercap; run on bare metal with the module intel_rapl_msr"


def rapl(root: Path, **zones: tuple[str, int, int]) -> Path:
    for folder, (name, microjoules, top) in zones.items():
        zone = root / folder.replace("_", ":", 1).replace("x", "intel-rapl")
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "name").write_text(name + "\n")
        (zone / "energy_uj").write_text(f"{microjoules}\n")
        (zone / "max_energy_range_uj").write_text(f"{top}\n")
    return root


def test_rapl_adds_packages_and_memory_and_wraps_around(tmp_path: Path) -> None:
    top = 262_143_328_850
    rapl(tmp_path, x_0=("package-0", top - 1_000_000, top), x_1=("package-1", 0, top), x_2=("core", 5, top))
    counter = Rapl(tmp_path)
    rapl(tmp_path, x_0=("package-0", 2_000_000, top), x_1=("package-1", 500_000, top), x_2=("core", 9_000_000, top))
    assert counter.joules() == pytest.approx(3.5)
    assert counter.joules() == pytest.approx(3.5)
    assert counter.longest == pytest.approx(131, rel=0.01)


def test_a_window_in_which_rapl_could_wrap_twice_is_refused(running: Running) -> None:
    work: Any = running.workload
    counter = Nvml(lambda: int(work.joules * 1e3))
    counter.longest = 4.0
    with pytest.raises(Unavailable, match="longer than the counter takes to wrap around"):
        energy.window(running, counter)


def test_rapl_that_only_root_may_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rapl(tmp_path, x_0=("package-0", 1, 10))
    real = Path.read_text

    def read(path: Path, *args: Any, **named: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **named)

    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(NoCounter, match="root only") as caught:
        Rapl(tmp_path)
    assert "chmod a+r" in caught.value.remedy


def test_polling_integrates_power_and_says_that_it_does() -> None:
    times, watts = iter([0.0, 1.0, 3.0]), iter([100.0, 200.0, 200.0])
    counter = Polling(lambda: next(watts), lambda: next(times), every=0)
    assert counter.joules() == pytest.approx(150.0)
    assert counter.joules() == pytest.approx(550.0)
    assert counter.method == "polling"


def test_update_period_of_a_counter() -> None:
    tick = itertools.count()
    now = 0.0

    def clock() -> float:
        return now

    class Steps(Nvml):
        def joules(self) -> float:
            nonlocal now
            now = next(tick) * 1e-3
            return now // 0.02

    assert update_period(Steps(lambda: 0), clock) == pytest.approx(0.02, rel=0.1)
    assert update_period(Nvml(lambda: 5), lambda: next(tick) * 1e-3, limit=0.5) is None


class Net(nn.Module):
    """Two linear layers; the first has a weight of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.first.weight.fill_(1.0)
            self.first.weight[0, 0] = 0.0
            self.second.weight.fill_(0.5)


def counted(x: torch.Tensor, hidden: torch.Tensor) -> Running:
    net = Net()

    def launch() -> torch.Tensor:
        out = net.second(hidden + 0 * net.first(x))
        out.sum().backward()
        return out

    work: Any = type("Work", (), {"case": CASE, "module": net, "launch": staticmethod(launch)})()
    running = Running(work, FakeClock([1.0]), Plan())
    running.detail = {}
    return running


def test_synaptic_operations_counted_by_hand() -> None:
    x = torch.tensor([[[1.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]])  # [2, 1, 3]: 3 + 4 weights, then 4
    hidden = torch.tensor([[[1.0, 0.0, 0.0, 1.0]], [[0.0, 0.0, 0.0, 0.5]]])  # not spikes: 6 products
    running = counted(x, hidden)
    assert synops.sample(running) == [11.0]
    detail = running.detail
    assert (detail["ac"], detail["mac"], detail["dense"]) == (11.0, 6.0, 24.0 + 16.0)
    models = detail["estimates"]
    assert {m["label"] for m in models.values()} == {"estimate"}
    assert models["horowitz_45nm"]["synapse_joules"] == pytest.approx(11 * 0.9e-12 + 6 * 4.6e-12)
    assert models["horowitz_45nm"]["dense_joules"] == pytest.approx(40 * 4.6e-12)
    arriving = 0.5 * 24 + 3 / 8 * 16
    assert models["sata"]["synapse_joules"] == pytest.approx(1e-12 * arriving * (0.0389 + 0.000794))
    words = 2 * (6 + 8) / 16 * 1.95 + 3 * arriving * 0.2779 + (12 + 8) * 55.58
    assert models["sata"]["memory_joules"] == pytest.approx(1e-12 * words)
    for model in models.values():
        assert model["neuron_joules"] == 0.0, "no neuron of ours is in this network"
    assert all("joules" not in key for key in detail if key != "estimates")
    back = 0.0 * 24 + 1.0 * 16  # nothing comes back through 0 · first(x)
    assert models["sata"]["backward_joules"] == pytest.approx(1e-12 * back * (0.239 + 0.0389))


def test_products_of_a_convolution_are_counted_where_its_kernel_meets_the_image() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    with torch.no_grad():
        layer.weight[0, 1, 2, 0] = layer.weight[2, 0, 1, 1] = 0.0
    x = (torch.rand(4, 2, 5, 5) < 0.3).float()
    effective = dense = 0
    for b, o, c, i, j, p, q in itertools.product(*map(range, (4, 3, 2, 3, 3, 3, 3))):
        row, column = 2 * p + i - 1, 2 * q + j - 1
        if 0 <= row < 5 and 0 <= column < 5:
            dense += 1
            effective += bool(x[b, c, row, column]) and bool(layer.weight[o, c, i, j])
    assert synops._products(layer, x != 0) == (effective, dense)
    assert synops._count(layer, x, layer(x))["ac"] == effective


def test_a_record_with_synaptic_operations_is_read_again() -> None:
    case = Case("lif@eager", T=4, B=2, workload="network", network="resnet[width=2,blocks=1,side=4]")
    work = network_workload.build(case)
    found = measure("synops", Running(work, CpuClock(), Plan()))
    assert found.samples[0] > 0 and found.detail["other_weights"] == []
    written = Record("r", case.case_id, case.to_json(), measurements=[found]).to_json()
    assert Record.from_json(json.loads(json.dumps(written))).measurements == [found]


def test_the_estimate_counts_the_neurons_too() -> None:
    """One LIF layer: 1 product, 2 sums, 1 comparison, 1 selection and a word of state read and written, a step each."""
    case = Case("lif@eager", T=4, B=2, N=5, workload="projection")
    running = Running(network_workload.build(case), CpuClock(), Plan())
    synops.sample(running)
    found, steps = running.detail, 4 * 2 * 5
    assert found["neuron_operations"] == {
        **{"mul": steps, "add": 2 * steps, "compare": steps, "select": steps, "special": 0, "draw": 0},
        **{"reads": steps, "writes": steps, "steps": steps},
    }
    model = found["estimates"]["horowitz_45nm"]
    assert model["neuron_joules"] == pytest.approx(steps * (3.7e-12 + 2 * 0.9e-12 + 0.1e-12))
    assert model["memory_joules"] == pytest.approx(2 * steps * 5e-12)
    for m in found["estimates"].values():
        assert m["forward_joules"] == pytest.approx(sum(m[f"{k}_joules"] for k in ("synapse", "neuron", "memory")))
        assert m["synapse_joules"] < m["forward_joules"]
    own = 0.239 + 2 * 0.00967 + 0.00309 + 0.00172 + 3 * 0.0301
    assert found["estimates"]["sata"]["neuron_joules"] == pytest.approx(1e-12 * steps * own)
    surrogate = 0.239 + 2 * 0.00967 + 0.00172 + 2 * 0.00605
    assert found["estimates"]["sata"]["backward_joules"] >= 1e-12 * steps * surrogate


def test_a_neuron_alone_has_no_synapses() -> None:
    found = measure("synops", Running(build(CASE), CpuClock(), Plan()))
    assert (found.status, found.reason) == (
        "unavailable",
        "a neuron alone has no synapses: take workload projection or network",
    )


def test_spike_rate_over_neurons_and_time() -> None:
    spikes = torch.zeros(4, 2, 5)
    spikes[2:, :, 0] = 1.0
    spikes[:, :, 1] = 1.0
    running = Running(build(CASE), CpuClock(), Plan(), last_output=spikes)
    assert spike_rate.sample(running) == pytest.approx([0.3])
    detail = running.detail
    assert detail["over_time"] == pytest.approx([0.2, 0.2, 0.4, 0.4])
    assert (detail["silent_neurons"], detail["saturated_neurons"]) == (pytest.approx(0.6), pytest.approx(0.2))
    assert detail["sparsity"] == pytest.approx(0.7)
    assert detail["per_neuron"][-1] == 1.0
    assert detail["per_neuron"][3] == 0.0


def test_raster_holds_the_first_neurons_and_steps_of_the_first_item_bit_for_bit() -> None:
    case = Case("lif@eager", T=1100, B=2, N=70)
    spikes = (torch.rand(1100, 2, 70) < 0.3).float()
    spikes[3, 0, 5] = 2.0
    running = Running(build(case, bias=0.0), CpuClock(), Plan(), last_output=spikes)
    (rate,) = raster.sample(running)
    found = running.detail
    assert (found["steps"], found["neurons"], found["most"]) == (1000, 64, 2.0)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found["bits"]), np.uint8), count=64_000).reshape(1000, 64)
    assert (bits == (spikes[:1000, 0, :64] != 0).numpy()).all()
    assert found["counts"] == spikes[:1000, 0].sum(1).tolist()
    assert rate == pytest.approx(float(spikes[:1000, 0, :64].mean()))
    assert len(str(found)) < 20_000, "a record stays short"


def test_a_stream_has_no_raster() -> None:
    found = measure("raster", Running(build(Case("lif@eager", T=4, B=1, N=5, mode="stream")), CpuClock(), Plan()))
    assert (found.status, found.reason) == (
        "unavailable",
        "a launch of mode stream is one step: take mode inference, forward or train",
    )


def test_host_time_and_operators_come_from_one_profile_and_kernels_need_a_device() -> None:
    running = Running(build(CASE), CpuClock(), Plan(warmup_seconds=0.1))
    (seconds,) = host_time.sample(running)
    assert 0 < seconds < 1
    assert running.detail["operators"] >= CASE.T
    assert host_time.sample(running) == [seconds]
    for metric in (kernel_launches, device_time):
        with pytest.raises(Unavailable, match="CPU"):
            metric.sample(running)
