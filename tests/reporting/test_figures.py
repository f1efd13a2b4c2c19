"""Figures at the scale of the long runs: no text is cut off at the page's edge, and every method has a look of its own."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dynode.dynamics.methods import learned_names, unlearned_names
from dynode.evaluation.records import Row
from dynode.reporting import plots
from dynode.reporting.outputs import lay_out, page
from dynode.reporting.plots.looks import LOOKS, OTHERS, look

METHODS = [*unlearned_names(), *learned_names()]
CLIPS = ["single_face.independent", "webcam2.1", "scene.day", "bird.take_off", "isaac3d.robot_x", "carphone.1"]
TS = torch.linspace(0, 2, 24)
OBSERVED = torch.arange(24) % 4 == 0


def curves(names) -> dict[str, torch.Tensor]:
    return {name: 10.0**-k * (1.1 + torch.sin(TS * k)) for k, name in enumerate(names)}


def rows(metric="skill", methods=METHODS, **fields) -> list[Row]:
    return [
        Row(metric, 0.01 * k - 0.1, category=clip.split(".")[0], clip=clip, method=name, std=0.02, **fields)
        for clip in CLIPS
        for k, name in enumerate(methods)
    ]


def skill_rows() -> list[Row]:
    named = {"sampling": "irregular", "stride": 8, "split": "unobserved"}
    return [*rows(**named), *rows("skill_latent", **named)]


def images(count: int) -> torch.Tensor:
    return torch.zeros(count, 3, 8, 8)


SHORTENED = ["demo[1000/20000]", "paper[latent]", "robust[5000/5000]", "subspace", "exact", "dynode[changed]"]
DRAWN = {
    "error_over_time": lambda: plots.error_over_time(TS, curves(SHORTENED), OBSERVED, "latent MSE", log=True),
    "error_over_time of all": lambda: plots.error_over_time(TS, curves(METHODS), OBSERVED, "MSE x 1e3"),
    "error_panels": lambda: plots.error_panels(TS, {"a": curves(METHODS[:8]), "b": curves(METHODS)}, OBSERVED, "MSE"),
    "skills": lambda: plots.skills(skill_rows(), METHODS),
    "baselines": lambda: plots.baselines(rows(split="unobserved"), METHODS),
    "categories": lambda: plots.categories(rows("mse", split="unobserved"), METHODS),
    "over_time": lambda: plots.over_time(TS, curves(["dynode+latent-transformer, offset", "A", "B"]), "cosine"),
    "backward_gap": lambda: plots.backward_gap(TS, curves([f"exact, {clip}" for clip in CLIPS])),
    "image_rows": lambda: plots.image_rows(
        {"pixel_ode\n[taught_warp]": images(9), "own codes": images(9)},
        TS[:9],
        OBSERVED[:9],
        title=f"{CLIPS[0]}, irregular times, stride 8: each frame's own code rendered, and the prediction",
    ),
    "image_rows of few": lambda: plots.image_rows({"interfacegan\neyeglasses +4": images(2)}, TS[:2], title="A" * 60),
    "frame_rates": lambda: plots.frame_rates({"observed": (TS[::12], images(2)), "12 per s": (TS, images(24))}, TS),
    "pca_paths": lambda: plots.pca_paths(
        {name: torch.randn(24, 2, 4).cumsum(0) for name in METHODS[:8]}, torch.randn(24, 2, 4).cumsum(0), OBSERVED
    ),
    "loss_curves": lambda: plots.loss_curves(
        {"encoder and steps": [1e5, 1e-5, 3.0], "average code and steps": [1e5] * 3}, "frame 0: MSE + LPIPS"
    ),
    "step_lengths": lambda: plots.step_lengths(torch.arange(10) * 10.0, 22.63),
}


def cut_off(figure: Figure) -> bool:
    """Whether something lies beyond the page, once all is in its place, with a note below."""
    plots.note(figure, "stand-ins: rendered world isaac3d")
    lay_out(figure)
    return not np.allclose(page(figure).bounds, (0, 0, *figure.get_size_inches()), atol=0.01)


@pytest.mark.parametrize("name", DRAWN)
def test_nothing_is_cut_off_at_the_page(name):
    assert not cut_off(DRAWN[name]())


def test_a_long_note_gets_lines_and_titles_of_columns_fit():
    names = [f"{name}\n{kind}" for name in ("single_face", "webcam2") for kind in ("independent", "warm")] * 3
    figure = plots.image_rows({"source": images(12), "G(z)": images(12)}, names)
    plots.note(figure, "codes: " + "; ".join(f"independent codes, smoothed alignment ({name})" for name in CLIPS * 4))
    lay_out(figure)
    assert np.allclose(page(figure).bounds, (0, 0, *figure.get_size_inches()), atol=0.01)
    boxes = [axis.title.get_window_extent() for axis in figure.axes[:12]]
    assert all(left.x1 <= right.x0 + 1 for left, right in zip(boxes, boxes[1:], strict=False))


def test_a_text_beyond_the_page_is_noticed():
    figure = plots.loss_curves({"": [3.0, 2.0]}, "a loss")
    figure.text(0.9, 0.5, "a text that begins at the right edge of its page")
    assert cut_off(figure)


def test_every_method_has_a_look_of_its_own():
    looks = [look(name) for name in METHODS]
    assert len(set(looks)) == len(METHODS) and len({(each.colour, each.mark) for each in looks}) == len(METHODS)
    assert len(set(LOOKS.values())) == len(LOOKS)
    assert not {(each.colour, each.mark) for each in OTHERS} & {(each.colour, each.mark) for each in LOOKS.values()}


def test_a_shortened_or_changed_run_looks_as_its_method_and_a_foreign_one_as_none():
    assert look("demo[1000/20000]") == look("demo") and look("hold[pixels]") == look("hold")
    assert look("pixel_ode[own,changed]") == look("pixel_ode[own]") != look("pixel_ode[taught]")
    assert look("a method of somebody else's") in OTHERS


@pytest.mark.parametrize("name", ["skills", "error_over_time of all"])
def test_the_legend_shows_every_method_in_its_look(name):
    (legend,) = DRAWN[name]().legends
    named = dict(zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True))
    assert set(METHODS) <= set(named)
    for method in METHODS:
        shown = named[method].get_color()  # of a line, or of the bars of errors
        assert to_hex(shown if isinstance(shown, str) else shown[0]).upper() == look(method).colour


def test_dots_of_two_methods_in_one_panel_differ():
    """`calm` and `dynode` on faces, which once shared a blue."""
    figure = plots.skills(skill_rows(), ["dynode", "calm"])
    drawn = {(line.get_color(), line.get_marker()) for line in figure.axes[1].lines if line.get_marker() in ("o", "s")}
    assert len(drawn) == 2
