"""`python -m spikebench.backends.triton` compiles the kernels and rewrites their table in README.md; it needs no GPU.

With `ahead FOLDER CAPABILITY JOBS` it compiles what the cases on stdin launch, one in JSON on each line, into a folder.
"""

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1:2] == ["ahead"]:
        from spikebench.backends.triton import _ahead

        folder, capability, jobs = sys.argv[2:5]
        cases = [json.loads(line) for line in sys.stdin]
        sys.stdout.write(json.dumps(_ahead.compile_all(cases, Path(folder), int(capability), int(jobs))))
    else:
        from spikebench.backends.triton import _table

        _table.write()
