from dynode.metrics.registry import METRICS as METRICS
from dynode.metrics.registry import Metric as Metric
from dynode.metrics.registry import metric as metric
