"""Scores of held-out frames are made of codes that these frames had no part in."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from dynode import clips
from dynode.clips import Clip
from dynode.dynamics.fitting.store import FitStore
from dynode.evaluation import Evaluator, trajectories
from dynode.experiments import face_windows, items
from dynode.experiments.parameters import declarations, usual
from dynode.generators.registry import of_clip

# Parameters of notebooks that name clips: those whose held-out frames are scored,
SCORED = {
    "02_model_dynamics": {"clip_names"},
    "03_interpolate_frames": {"clip_names"},
    "04_ablate_settings": {"clip_names", "image_clips", "space_clips", "loss_clips", "solver_clip", "grid_clip"},
    "05_go_beyond": {"late_clips", "fan_clips", "prior_clips", "image_clips"},
    "07_edit_heads_and_worlds": {"true_clips"},
    "08_examine_the_demo": {"codes"},
    "10_compare_rivals": {"clip_names"},
    "11_predict_pixels": {"clip_names"},
    "12_reuse_motion": {"kept_clips"},
    "13_tune_to_a_person": {"clip_names"},
    "14_test_on_new_clips": {"windows"},
}
# and those that are projected, edited, transferred or played: their codes may be of a chain, and outputs say so.
SHOWN = {
    "01_invert_a_clip": {"clip_name", "clip_names"},
    "06_compare_systems": {"clip_names", "pasted_clips"},
    "15_edit_by_every_system": {"clip_names"},
    "07_edit_heads_and_worlds": {"head", "other_head", "scene"},
    "12_reuse_motion": {"transfers", "looped"},
}
# Clips of rendered worlds whose codes are a chain and which are scored all the same (FINDINGS says so); this may only get shorter.
CHAINS_OF_WORLDS = {
    *("scene.day", "scene.weather", "scene.winter", "bird.flight", "bird.take_off", "bird.landing"),
    *("isaac3d.robot_x", "isaac3d.robot_y", "isaac3d.camera"),
    *("isaac3d.robot_x.w", "isaac3d.robot_x.z", "isaac3d.robot_x.dcgan"),
}
RUNS = [(name, profile) for name in items.items() for profile in items.PROFILES]


@cache
def shipped() -> dict[str, Clip]:
    return {name: clips.load(name) for name in clips.shipped_names()}


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_of([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)


def named(item: str, profile: str) -> dict[str, set[str]]:
    """The clips that each parameter of an item names under a profile: shipped ones, and windows whose codes may come later."""
    one, known = items.item(item), {*shipped(), *face_windows.windows()}
    values = usual(one, profile, declarations(one.notebook))
    found = {key: known.intersection(texts_of(value)) for key, value in values.items()}
    return {key: names for key, names in found.items() if names}


def notebook_of(item: str) -> str:
    return items.item(item).notebook.removeprefix("notebooks/").removesuffix(".ipynb")


def scored(item: str, profile: str) -> set[str]:
    parameters = SCORED.get(notebook_of(item), set())
    return {name for key, names in named(item, profile).items() if key in parameters for name in names}


def faulty(names: set[str], codes: dict[str, Clip]) -> dict[str, str]:
    """The clips of footage that are no test of held-out frames, with the protocol that says so.

    A window whose codes are not there yet is none of these: its codes will be independent.
    """
    footage = {name: codes[name] for name in names & codes.keys() if "source_sha256" in codes[name].meta}
    return {name: one.protocol for name, one in footage.items() if one.protocol not in ("independent", "observed")}


@pytest.mark.parametrize("item, profile", RUNS)
def test_no_experiment_scores_held_out_frames_of_footage_that_shaped_the_observed_codes(item, profile):
    assert faulty(scored(item, profile), shipped()) == {}


@pytest.mark.parametrize("item, profile", RUNS)
def test_it_is_declared_whether_clips_that_a_parameter_names_are_scored(item, profile):
    notebook = notebook_of(item)
    assert named(item, profile).keys() <= SCORED.get(notebook, set()) | SHOWN.get(notebook, set())


def test_a_chain_and_smoothed_squares_are_noticed():
    names = {"single_face.warm", "single_face.independent", "scene.day"}
    assert faulty(names, shipped()) == {"single_face.warm": "chain", "single_face.independent": clips.SMOOTHED}


def test_chains_of_worlds_that_are_scored_are_known():
    every = {name for run in RUNS for name in scored(*run)} & shipped().keys()
    chains = {name for name in every if shipped()[name].protocol == "chain" and "episode" in shipped()[name].meta}
    assert chains == CHAINS_OF_WORLDS


def test_codes_of_windows_are_independent():
    made = [shipped()[name] for name in face_windows.windows() if name in shipped()]
    assert {clip.protocol for clip in made} <= {"independent"}
    assert all(len(clip) == face_windows.windows()[clip.name].frames for clip in made)


def test_people_who_are_tested_are_named_by_a_rule_and_settings_are_compared_on_the_other_one():
    tested = face_windows.of_role("test")
    clean = [window for window in tested if not window.shown_before]
    first = {window.person: window.name for window in reversed(clean)}
    assert scored("dynamics_heads", "embedded") == {*first.values()} and len(first) == 4
    assert scored("dynamics_heads", "paper") == {window.name for window in tested}
    for item in ("dynamics_face", "interpolation", "ablations"):
        for profile in items.PROFILES:
            people = scored(item, profile) & face_windows.windows().keys()
            assert {face_windows.windows()[name].role for name in people} <= {"development"}


@pytest.mark.parametrize("protocol", ["chain", "independent"])
def test_rows_of_held_out_frames_name_the_protocol_of_their_codes(tiny_clip, tmp_path, protocol):
    clip = replace(tiny_clip, meta=tiny_clip.meta | {"protocol": protocol})
    chosen = {"methods": ["linear"], "samplings": ["regular"], "strides": [4], "seeds": [0]}
    rows = trajectories.study(clip, Evaluator(clip, of_clip(clip.meta, clip.name)), FitStore(tmp_path), **chosen).rows
    assert {row.protocol for row in rows} == {protocol} and {"observed", "unobserved"} <= {row.split for row in rows}
