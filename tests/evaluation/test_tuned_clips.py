"""Clips that are given a tuning name it, and nothing else of them changes."""

import dataclasses

import pytest
import torch

from dynode import generators
from dynode.dynamics import methods
from dynode.errors import UserError
from dynode.evaluation.compare_fits import as_fitted
from dynode.evaluation.tuned_clips import generators_of, with_tuning, with_tunings
from dynode.generators import tuned
from dynode.generators.registry import name_for


@pytest.fixture
def tuning(tiny_clip, tmp_path):
    generator = generators.load(tiny_clip.meta["generator"])
    differences = {name: torch.zeros_like(value) for name, value in tuned.weights_of(generator).items()}
    tuned.write(tmp_path / "t.safetensors", differences, generator.name, generator.hash, {})
    return tuned.read(tmp_path / "t.safetensors")


def test_a_clip_names_the_tuning_or_forgets_it(tiny_clip, tuning):
    named = with_tuning(tiny_clip, tuning.path)
    assert named.meta == tiny_clip.meta | {"tuning": tuning.mark} and torch.equal(named.ws, tiny_clip.ws)
    assert name_for(named.meta, "The clip") == str(tuning.path)
    assert with_tuning(named, "none").meta == tiny_clip.meta and with_tuning(named, "") is named


def test_its_protocol_says_how_many_of_its_frames_the_tuning_has_learned(tiny_clip, tuning):
    source = {"source_sha256": "a", "protocol": "observed", "stride": 2}
    clip = dataclasses.replace(tiny_clip, observed=torch.arange(len(tiny_clip)) % 2 == 0, meta=tiny_clip.meta | source)
    card = {"clip": {"source_sha256": "a", "ts": clip.observations().ts.tolist()}}
    tuned.write(tuning.path, {}, tuning.base, tuning.base_hash, card)
    made = with_tunings({"one": clip}, {"one": tuning.path})["one"]
    assert made.protocol == f"observed; tuned on {int(clip.observed.sum())} of {len(clip)} frames"
    with pytest.raises(UserError, match="observe exactly those frames"):
        made.sampled("regular", 3)


def test_clips_by_name_get_theirs_alone(tiny_clip, tuning):
    footage = {"one": tiny_clip, "two": dataclasses.replace(tiny_clip)}
    made = with_tunings(footage, {"two": tuning.path})
    assert made["one"] is tiny_clip and made["two"].meta["tuning"] == tuning.mark
    assert (
        made["two"].protocol.endswith("tuned") and with_tunings(footage, {"two": "none"})["two"].meta == tiny_clip.meta
    )
    with pytest.raises(UserError, match="There is no clip with a tuning 'tow', did you mean 'two'"):
        with_tunings(footage, {"tow": tuning.path})


def test_each_is_rendered_by_its_own_generator_which_is_loaded_once(tiny_clip, tuning):
    footage = {name: tiny_clip for name in ("one", "two", "three")}
    made = generators_of(with_tunings(footage, {"two": tuning.path}))
    assert {name: tuned.hash_of(each) for name, each in made.items()} == {"one": "", "two": tuning.hash, "three": ""}
    assert made["one"] is made["three"] and list(made) == list(footage)
    lost = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"tuning": tuning.mark | {"hash": "0" * 12}})
    with pytest.raises(UserError, match="The clip tiny was tuned by"):
        generators_of({"one": lost})


def test_a_clip_is_rendered_by_the_tuning_of_its_fits_unless_it_names_one(tiny_clip, tuning):
    plain, named = (methods.fit(clip, "linear") for clip in (tiny_clip, with_tuning(tiny_clip, tuning.path)))
    assert as_fitted(tiny_clip, [plain]) is tiny_clip and as_fitted(tiny_clip, []) is tiny_clip
    assert as_fitted(tiny_clip, [plain, named]).meta["tuning"] == tuning.mark
    other = dataclasses.replace(tiny_clip, meta=tiny_clip.meta | {"tuning": tuning.mark | {"hash": "0" * 12}})
    assert as_fitted(other, [named]) is other
    with pytest.raises(UserError, match="The fits are of several tunings .*: name one with --tuning, or"):
        as_fitted(tiny_clip, [named, methods.fit(other, "linear")])
