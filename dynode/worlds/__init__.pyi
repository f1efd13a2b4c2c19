from dynode.worlds.episodes import Episode as Episode
from dynode.worlds.registry import WORLDS as WORLDS
from dynode.worlds.registry import World as World
from dynode.worlds.registry import world as world
