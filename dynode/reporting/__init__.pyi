from dynode.reporting.comparison import FitComparison as FitComparison
from dynode.reporting.comparison import evaluate as evaluate
from dynode.reporting.outputs import Outputs as Outputs
from dynode.reporting.outputs import save_figure as save_figure
from dynode.reporting.outputs import show as show
from dynode.reporting.paths import last_record as last_record
from dynode.reporting.tables.cells import Table as Table
