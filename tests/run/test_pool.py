"""The pool of one machine starts the processes of a block beside each other."""

from pathlib import Path

import pytest

from spikebench.cases.case import Case
from spikebench.run.pool import Fresh
from spikebench.run.settings import Settings

# in a worker's place: it is ready once another one has started, too
FAKE = """#!/bin/sh
touch "{folder}/started.$$"
tries=0
while [ "$(ls "{folder}" | grep -c started)" -lt 2 ]; do
    tries=$((tries + 1)); [ $tries -gt 100 ] && exit 1
    sleep 0.05
done
echo '{{"ready": 1}}'
exec cat > "{folder}/asked.$$"
"""


@pytest.mark.parametrize("early", [False, True])
def test_processes_of_a_block_load_at_the_same_time(tmp_path: Path, early: bool) -> None:
    fake, folder = tmp_path / "python", tmp_path / "seen"
    folder.mkdir()
    fake.write_text(FAKE.format(folder=folder))
    fake.chmod(0o755)
    pool = Fresh(Settings(python={"eager": str(fake), "indexed": str(fake)}))
    cases = [Case("lif@eager"), Case("lif@indexed")]
    try:
        if early:
            pool.begin(cases)
        pool.prepare(cases)
        assert len(list(folder.glob("started.*"))) == 2  # and none was started twice
    finally:
        pool.close()
