"""Every verb of the command line as a function: the same defaults, the same measuring, and results as values.

`import spikebench as sb` has them all, `sb.run`, `sb.compare` …; nothing here prints. A result is a list of Records,
Comparisons, Assessments or Checks, or a pandas frame.
"""

from spikebench.experiments.check import check as check
from spikebench.experiments.commits import compare_commits as compare_commits
from spikebench.experiments.compare import aa as aa
from spikebench.experiments.compare import compare as compare
from spikebench.experiments.compare import diff as diff
from spikebench.experiments.doctor import examine
from spikebench.experiments.list import listed
from spikebench.experiments.profile import profile as profile
from spikebench.experiments.reproduce import reproduce as reproduce
from spikebench.experiments.results import cite as cite
from spikebench.experiments.results import cite_records as cite_records
from spikebench.experiments.results import draw_badge as draw_badge
from spikebench.experiments.results import export as export
from spikebench.experiments.results import from_flashinfer as from_flashinfer
from spikebench.experiments.results import load as load
from spikebench.experiments.results import merge as merge
from spikebench.experiments.results import plot as plot
from spikebench.experiments.results import report as report
from spikebench.experiments.results import table as table
from spikebench.experiments.run import run as run
from spikebench.experiments.schema import schema as schema
from spikebench.experiments.site import site as site
from spikebench.experiments.submit import examine_submission as examine_submission
from spikebench.experiments.submit import submit as submit
from spikebench.experiments.sweep import sweep as sweep
from spikebench.experiments.train import train as train
from spikebench.experiments.tune import tune as tune

doctor = examine
list = listed  # `sb.list`, as on the command line
