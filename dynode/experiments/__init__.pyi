from dynode.experiments.items import PROFILES as PROFILES
from dynode.experiments.items import Checks as Checks
from dynode.experiments.items import Item as Item
from dynode.experiments.items import checks as checks
from dynode.experiments.items import item as item
from dynode.experiments.items import minutes_of as minutes_of
from dynode.experiments.notebooks import begin as begin
from dynode.experiments.runner import run as run
