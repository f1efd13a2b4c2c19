"""A view of a synthetic clip whose pictures nobody has to render, for the tests of pages."""

import torch

from dynode.clips import Clip
from dynode.dynamics import methods
from dynode.dynamics.principal_axes import PrincipalAxes
from dynode.reporting.pages import looks, view_data
from dynode.reporting.pages.looks import CurveLook, curve_looks
from dynode.reporting.pages.view_data import View

METHODS = ("hold", "linear", "cubic")


def view_of_circle(clip: Clip, stride: int = 4) -> View:
    """Three baselines on a clip; frame k of every method is grey of brightness k, errors are those of the codes."""
    clip = clip.sampled("regular", stride)
    axes, dense = PrincipalAxes.of(clip.ws), view_data.dense_times(clip.ts)
    shades = torch.linspace(-1, 1, len(clip))[:, None, None, None].expand(-1, 3, 16, 16)
    curves = []
    for name, look in zip(METHODS, curve_looks(METHODS), strict=True):
        path = methods.fit(clip, name)
        errors = (path(clip.ts) - clip.ws).square().flatten(1).mean(1)
        curves.append(
            view_data.curve(name, look, axes.scores(path(dense))) | {"mse": view_data.rounded(errors.tolist())}
        )
    truth = view_data.curve("own codes", CurveLook(*looks.REFERENCE, "", "star"), axes.scores(clip.ws))
    described = view_data.head_of(clip, axes, "") | {
        "metrics": view_data.labels_of(["mse"]),
        "methods": curves,
        "truth": truth | {"reference": "code", "against": view_data.AGAINST["code"]},
    }
    return View(described, {name: shades for name in ("truth", *METHODS)})
