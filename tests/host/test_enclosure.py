"""A subject that is checked without being trusted: it writes nowhere else, reaches no network, and a clock that it reads is seen."""

from pathlib import Path

import pytest
import submitted

from spikebench.experiments.check import check

DENIED = """
        for attempt in (
            lambda: open(OUTSIDE, "w"),
            lambda: os.chmod(VICTIM, 0o777),
            lambda: os.unlink(VICTIM),
            lambda: os.rename(VICTIM, VICTIM + "2"),
            lambda: socket.socket(),
            lambda: socket.socket(socket.AF_UNIX),
            lambda: os.kill(os.getppid(), 0),
            lambda: subprocess.run(["touch", OUTSIDE], check=True, stderr=subprocess.DEVNULL),
        ):
            try:
                attempt()
            except (PermissionError, subprocess.CalledProcessError):
                continue
            return x[:0]
        with tempfile.TemporaryFile() as file:
            file.write(b"here it may")
"""


@pytest.mark.slow
def test_it_writes_nowhere_and_reaches_nobody_and_its_clock_is_seen(tmp_path: Path) -> None:
    victim, outside = tmp_path / "victim", tmp_path / "outside"
    victim.write_text("kept")
    mode = victim.stat().st_mode
    imports = f"import math\nimport os, socket, subprocess, tempfile, time\nVICTIM, OUTSIDE = {str(victim)!r}, {str(outside)!r}\n"
    text = submitted.LEAKY.replace("import math\n", imports)
    head = "    def forward(self, x):\n"
    text = text.replace(head, f"{head}{DENIED}        time.perf_counter()\n")
    (tmp_path / "leaky.py").write_text(text)
    rows = {row.check: row for row in check(f"{tmp_path}/leaky.py:Leaky", like="lif", enclosed=True)}
    if rows["enclosure"].passed is None:
        pytest.skip(rows["enclosure"].detail)
    assert rows["enclosure"].passed and "denied" in rows["enclosure"].detail
    assert rows["shape"].passed, rows["shape"].detail
    assert rows["definition"].passed
    assert rows["clock"].passed is False and "calls time.perf_counter" in rows["clock"].detail
    assert victim.read_text() == "kept" and victim.stat().st_mode == mode and not outside.exists()
