from dynode.metrics.registry import METRICS as METRICS
from dynode.metrics.registry import Metric as Metric
from dynode.metrics.registry import columns as columns
from dynode.metrics.registry import describe as describe
from dynode.metrics.registry import evaluated_for as evaluated_for
from dynode.metrics.registry import metric as metric
from dynode.metrics.registry import ordered as ordered
from dynode.metrics.registry import quantity as quantity
