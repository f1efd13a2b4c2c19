"""The test set: enough episodes and windows, in equal shares, apart from everything that methods are developed on."""

from collections import Counter

import numpy as np
import pytest

from dynode import clips
from dynode.clips import Clip
from dynode.errors import UserError
from dynode.experiments import test_set as declaration
from dynode.worlds import WORLDS

SETS = declaration.episode_sets()
KINDS = {  # of the worlds at the commit of 2026-11-23 that the test set goes by
    "scene": ["day", "weather", "winter"],
    "bird": ["flight", "beats", "take_off", "landing"],
    "isaac3d": ["robot_x", "robot_y", "camera", "circle"],
}


@pytest.mark.parametrize("name", SETS)
def test_every_set_has_twelve_episodes_in_equal_shares_of_its_kinds(name):
    episodes = declaration.episodes_of(name)
    shares = Counter(episode.kind for episode in episodes)
    assert len(episodes) == 12 and set(shares) == set(SETS[name].kinds) and len(set(shares.values())) == 1
    assert len(SETS[name].ts) == 48 and SETS[name].ts[-1] < episodes[0].seconds


def test_every_world_is_tested_on_all_kinds_that_it_had():
    for world, kinds in KINDS.items():
        assert list(SETS[world].kinds) == kinds and list(SETS[world].seeds) == [*range(3001, 3013)]
    fast = set(SETS["bird.fast"].kinds)
    assert {kind for world in WORLDS for kind in WORLDS[world].kinds} == {*sum(KINDS.values(), []), *fast}


@pytest.mark.parametrize("name", SETS)
def test_no_test_episode_is_one_of_development_or_of_a_shipped_clip(name):
    tested = {(episode.world, episode.kind, episode.seed) for episode in declaration.episodes_of(name)}
    developed = declaration.development_episodes(name, 600, after=10)
    assert not tested & {(episode.world, episode.kind, episode.seed) for episode in developed}
    shipped = [clips.load(each).meta.get("episode") for each in clips.shipped_names()]
    assert not tested & {(each["world"], each["kind"], each["seed"]) for each in shipped if each}
    assert len({episode.seed for episode in developed}) == 600
    assert not {episode.seed for episode in declaration.development_episodes(name, 10)} & {e.seed for e in developed}


def test_more_development_episodes_than_there_are_are_refused():
    with pytest.raises(UserError, match=r"^There are 2995 development episodes of scene, got 3000: take fewer\.$"):
        declaration.development_episodes("scene", 3000)


def test_seeds_of_different_sets_of_a_world_are_apart():
    seeds = [(each.world, seed) for each in SETS.values() for seed in each.seeds]
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize(("name", "beats"), [("bird.steady", 6), ("bird.fast", 4)])
def test_about_two_and_seven_tenths_irregular_frames_fall_on_a_wing_beat(name, beats):
    chosen = SETS[name]
    clip = Clip(np.zeros((48, 1, 1)), chosen.ts)
    observed = clip.sampled("irregular", chosen.beat_stride).observed
    assert 2.6 < int(observed.sum()) / beats < 2.9
    for episode in declaration.episodes_of(name):
        phase = np.unwrap(episode.factors(chosen.ts)[:, 6].double().numpy())
        assert phase[-1] - phase[0] == pytest.approx(2 * np.pi * beats * 47 / 48, abs=0.6)


def test_what_is_learned_for_a_person_is_learned_from_others():
    windows = declaration.face_windows_tested()
    assert len(windows) >= 12 and len({window.person for window in windows}) >= 4
    for window in windows:
        teachers = declaration.learned_from(window.person)
        assert teachers and window.person not in {each.person for each in teachers}
    with pytest.raises(UserError, match="person"):
        declaration.learned_from("carphone.1")


def test_the_embedded_part_has_a_window_of_each_person_and_three_episodes_of_each_set():
    windows, episodes = declaration.embedded()
    assert [window.name for window in windows] == ["carphone.1", "pexels.1", "webcam.1", "webcam2.1"]
    assert all([e.seed for e in chosen] == list(SETS[name].seeds)[:3] for name, chosen in episodes.items())


def test_conditions_are_what_can_be_observed():
    conditions = declaration.conditions()
    clip = Clip(np.zeros((48, 1, 1)), np.arange(48) / 24)
    for sampling, stride, draw in conditions.sampled():
        assert 2 <= int(clip.sampled(sampling, stride, draw=draw).observed.sum()) < 48
    assert len(conditions.sampled()) == 5 + 5 * 5 and conditions.draws == (0, 1, 2, 3, 4)
    assert all(48 - end > 2 * conditions.extrapolated_at for end in conditions.hidden_ends)
    faces = declaration.face_images()
    assert set(faces.strides) <= set(conditions.strides) and set(faces.draws) <= set(conditions.draws)
