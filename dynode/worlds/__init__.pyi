from dynode.worlds.episodes import Episode as Episode
from dynode.worlds.episodes import Motion as Motion
from dynode.worlds.episodes import Motions as Motions
from dynode.worlds.factors import Factor as Factor
from dynode.worlds.registry import WORLDS as WORLDS
from dynode.worlds.registry import World as World
from dynode.worlds.registry import register as register
from dynode.worlds.registry import world as world
