from dynode.experiments.report.site import Report as Report
from dynode.experiments.report.site import write_report as write_report
