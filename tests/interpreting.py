"""What a process found that runs tests in triton's interpreter; backends/conftest.py starts it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Interpreted:
    """The process, which began with the tests of this folder and runs beside them, and the file for what it found."""

    process: "subprocess.Popen[bytes] | None"
    found: Path
    log: Path

    def passed(self, name: str) -> tuple[int, int]:
        """Tests of a file that passed and that were skipped; one that failed, or an end before its time, fails here."""
        assert self.process is not None
        self.process.wait()
        out = self.log.read_text()
        assert self.found.exists(), out[-8000:]
        mine = [
            case for case in ElementTree.parse(self.found).iter("testcase") if f".{name}" in f".{case.get('classname')}"
        ]
        ends = {child.tag: case.get("name") for case in mine for child in case}
        assert not {"failure", "error"} & set(ends), f"{ends}\n{out[-8000:]}"
        skipped = sum(case.find("skipped") is not None for case in mine)
        return len(mine) - skipped, skipped
