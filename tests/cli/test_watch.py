"""`watch` follows a file that another process writes."""

import re
import subprocess
import sys
from pathlib import Path

from spikebench.cases.case import Case
from spikebench.records import store
from spikebench.records.record import Measurement, Record

HERE = Path(__file__).parents[2]


def test_records_are_shown_as_they_come_and_the_file_need_not_be_there(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "spikebench", "watch", "*.jsonl", "--every", "50ms", "--until", "1s"]
    watching = subprocess.Popen(line, cwd=tmp_path, env={"PYTHONPATH": str(HERE)}, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert "0 records in *.jsonl" in watching.stdout.readline()
    case = Case("lif@eager", T=8, B=2, N=3)
    for k in (1, 2):
        store.append(
            tmp_path / "r.jsonl",
            Record(
                "r", case.case_id, case.to_json(), measurements=[Measurement("latency", "s", samples=[k])], repeat=k
            ),
        )
        while not (found := re.match(r"\S+: (\d) records", watching.stdout.readline())):
            pass
        assert found[1] == str(k)
    assert watching.wait(10) == 0
