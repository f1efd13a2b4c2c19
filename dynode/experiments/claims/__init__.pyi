from dynode.experiments.claims.declared import Claim as Claim
from dynode.experiments.claims.judging import Case as Case
from dynode.experiments.claims.judging import Kind as Kind
from dynode.experiments.claims.judging import Verdict as Verdict
from dynode.experiments.claims.judging import judge as judge
