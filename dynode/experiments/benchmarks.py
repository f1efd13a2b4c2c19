"""Speed of this package's implementation beside the plain one, and beside a lower bound, measured in one run.

Each comparison times both implementations in turn, several times, and takes medians.  The lower bound ("floor") is the
counted arithmetic of the work over the measured rate of matrix products of the same shapes.
"""

from collections.abc import Callable
from typing import Any

import torch
import torchdiffeq

from dynode import clips, generators
from dynode.dynamics import methods
from dynode.dynamics.fitting import single, trainer
from dynode.dynamics.neural_ode import NeuralODE
from dynode.dynamics.presets import latent_only, preset
from dynode.errors import UserError
from dynode.experiments import memory_benchmark, torch_benchmark
from dynode.experiments.comparison import Comparison, Product, in_turn, seconds_of_products
from dynode.generators.mobile_stylegan import MobileStyleGAN, inverse_haar
from dynode.io import assets
from dynode.settings import changed

PAPER = latent_only(preset("paper"))
PAPER_FRAMES = 36
LEARNING_RATE = 1e-4
STEPS = 5  # of the preset's 5,000
FITS = 64
TIMES = 1000
CLIP = "scene.day"
FACES = "single_face.warm"
FACE_GENERATOR = "mobilestylegan-ffhq"
STRIDE = 4


def neural_ode(fit: object) -> NeuralODE:
    """The fit itself.  Raises UserError for a fit of a clip with cuts."""
    if not isinstance(fit, NeuralODE):
        raise UserError(f"A benchmark wants the neural ODE of a clip without cuts, got a {type(fit).__name__}.")
    return fit


def batched_fits(repeats: int) -> Comparison:
    """Fits of the preset `trend+mlp` as one batched problem, beside sequential fits (which are timed on an eighth of them)."""
    settings, few = preset("trend+mlp"), FITS // 8
    observed = [clips.load(CLIP).sampled("irregular", STRIDE, seed, 2) for seed in range(FITS)]
    ts = observed[0].ts

    def batch():
        return methods.fit_many(observed, settings, seeds=range(FITS))

    def sequence():
        return [single.fit(clip, settings, seed) for seed, clip in enumerate(observed[:few])]

    ours, other, batched, sequential = in_turn(batch, sequence, repeats)
    difference = max(float((a(ts) - b(ts)).abs().max()) for a, b in zip(batched, sequential, strict=False))
    name = f"fit {FITS} clips"
    floor = seconds_of_products(products_of_fits(neural_ode(batched[0]), FITS))
    return Comparison(name, ours, 8 * other, f"one after another ({few} timed)", difference, "w", floor, repeats)


def products_of_fits(fit: NeuralODE, count: int) -> list[Product]:
    """The matrix products of `count` fits like this one: each layer, forward and twice backward, at every evaluation."""
    settings = fit.settings.training
    rows = min(settings.batch, len(fit.taus) - 1) * 2  # intervals in both directions, with the first frame
    layers = [tuple(weight.shape) for name, weight in fit.field.named_parameters() if weight.dim() == 2]
    evaluations = settings.total * round(4 / fit.settings.segment_solver.step)  # four stages a step of rk4
    each = [
        shape
        for out, into in layers
        for shape in ((count, rows, into, out), (count, rows, out, into), (count, out, rows, into))
    ]
    return each * evaluations


def unseen_times(repeats: int, equal: bool = False) -> Comparison:
    """One learned path at many new times, beside torchdiffeq with its default tolerances.

    equal: with the loosest tolerances, by factors of ten, that are as near to the exact solution as our fixed steps.
    """
    fit = neural_ode(single.fit(clips.load(CLIP).sampled("regular", STRIDE, 0, 2), preset("trend+mlp")))
    ts = torch.linspace(*fit.span, TIMES + 2, dtype=torch.float64)[1:-1]
    taus = fit.clock(ts).to(fit.starts)

    @torch.no_grad()
    def plain(**tolerances: float) -> torch.Tensor:
        states = [from_both_sides(fit, taus, k, tolerances) for k in range(len(fit.taus) - 1)]
        return fit.space.decode(torch.cat(states)).float()

    tolerances, exact = {}, plain()
    if equal:
        error = float((fit(ts) - exact).abs().max())
        candidates = [{"rtol": 10.0**-k, "atol": 10.0 ** -(k + 1)} for k in range(2, 8)]
        tolerances = next((one for one in candidates if float((plain(**one) - exact).abs().max()) <= error), {})
    ours, other, own, _ = in_turn(lambda: fit(ts), lambda: plain(**tolerances), repeats)
    difference, label = float((own - exact).abs().max()), f"rtol {tolerances['rtol']:.0e}" if tolerances else "defaults"
    name = f"{TIMES} unseen times{', as exact' * equal}"
    return Comparison(name, ours, other, f"torchdiffeq, {label}", difference, "w", None, repeats)


def from_both_sides(fit: NeuralODE, taus: torch.Tensor, k: int, tolerances: dict[str, float]) -> torch.Tensor:
    """States at the times between observations k and k + 1, by one solve from each of them."""
    inside = taus[(taus >= fit.taus[k]) & (taus < fit.taus[k + 1])]
    up = torch.cat([fit.taus[k : k + 1] - 1e-6, inside])
    down = torch.cat([fit.taus[k + 1 : k + 2], inside.flip(0)])
    ahead = plain_solution(fit.field, fit.starts[k], up, **tolerances)[1:]
    back = plain_solution(fit.field, fit.starts[k + 1], down, **tolerances)[1:].flip(0)
    weight = (inside - fit.taus[k]) / (fit.taus[k + 1] - fit.taus[k])
    return torch.lerp(ahead, back, weight[:, None, None])


def plain_solution(field: torch.nn.Module, start: torch.Tensor, taus: torch.Tensor, **options: Any) -> torch.Tensor:
    """States (T, R, K) at the field's times taus (T,), by torchdiffeq."""
    states: Any = torchdiffeq.odeint(field, start, taus, **options)  # typed as if `start` could be a tuple
    return states


def paper_steps(repeats: int, tolerances: dict[str, float]) -> Comparison:
    """Steps of the preset `paper` with the latent loss only, beside a plain loop over torchdiffeq; a few of its 5,000.

    tolerances: of the plain loop; torchdiffeq's defaults where there are none.  At the preset's learning rate the fit
    diverges within ten steps, here it is LEARNING_RATE.  Both fits continue with every call; difference: of their losses
    after the last step, as a fraction of the plain loop's.
    """
    settings = changed(PAPER, {"training.lr": LEARNING_RATE, "training.check_every": 10**6})
    clip = clips.load(CLIP).head(PAPER_FRAMES)
    own, others = (single.PreparedFit.of(clip, settings, 0).trainer for _ in range(2))
    optimiser = torch.optim.Adam(others.field.parameters(), lr=LEARNING_RATE)

    def ours():
        for _ in range(STEPS):
            own.advance()

    def plain():
        for _ in range(STEPS):
            index = others.subset()
            start, taus = others.u[index[0]], others.taus[index]
            states = plain_solution(others.field, start, taus, method="dopri5", **tolerances)
            optimiser.zero_grad()
            (states[1:] - others.u[index[1:]]).square().sum().backward()
            optimiser.step()

    seconds = in_turn(ours, plain, repeats)[:2]
    floor = seconds_of_products(products_of_steps(own, repeats + 1))
    label = "equal tolerances" if tolerances else "defaults"
    difference = rollout_error(own) / rollout_error(others) - 1
    name = f"paper, {STEPS} of 5,000 steps, {label}"
    return Comparison(name, *seconds, f"torchdiffeq, {label}", difference, "share of the loss", floor, repeats)


def rollout_error(fit: trainer.Trainer) -> float:
    """The mean squared error of a roll-out from the first frame on, over the codes' variance."""
    fit.evaluate_fit()
    return fit.fit_errors[-1]


def products_of_steps(fit: trainer.Trainer, calls: int) -> list[Product]:
    """The matrix products of a call of `paper_steps`, on average: each layer forward and back at every evaluation, its
    weights once a step."""
    layers = [tuple(weight.shape) for weight in fit.field.net.parameters() if weight.dim() == 2]
    rows, evaluations = fit.u.shape[1], round(fit.nfe / calls)
    each = [shape for out, into in layers for shape in ((1, rows, into, out), (1, rows, out, into))]
    weights = [(1, out, rows * round(evaluations / STEPS), into) for out, into in layers]
    return each * evaluations + weights * STEPS


def face_generator() -> MobileStyleGAN:
    """The face generator's network."""
    generator = generators.load(FACE_GENERATOR)
    if not isinstance(generator, MobileStyleGAN):
        raise TypeError(f"{FACE_GENERATOR} is a {type(generator).__name__}, not a MobileStyleGAN")
    return generator


def faces(resolution: int, repeats: int) -> Comparison:
    """An image of the face generator, beside the same network layer by layer."""
    generator, ws = face_generator(), clips.load(FACES).ws[:1]

    def ours():
        return generators.render(generator, ws, resolution)

    def plain():
        return layer_by_layer(generator, ws, resolution).clamp(-1, 1)

    first, second, own, other = in_turn(ours, plain, repeats)
    difference = float((own - other).abs().max())
    floor = seconds_of_products(products_of_faces(generator))
    return Comparison(f"face, {resolution} px", first, second, "layer by layer", difference, "[-1,1]", floor, repeats)


@torch.no_grad()
def layer_by_layer(generator: MobileStyleGAN, ws: torch.Tensor, resolution: int) -> torch.Tensor:
    """The whole image, by the network as it is defined, then reduced."""
    x = styled(generator.conv1, generator.const, ws[:, 0])
    blocks: list[Any] = list(generator.blocks)
    for k, block in enumerate(blocks):
        up, first, second = ws[:, 1 + 3 * k], ws[:, 2 + 3 * k], ws[:, 3 + 3 * k]
        x = styled(block.conv2, styled(block.conv1, inverse_haar(x * block.up(up)), first), second)
    return torch.nn.functional.interpolate(
        inverse_haar(generator.to_img(x, generator.to_img.modulation(ws[:, 22]))),
        size=(resolution, resolution),
        mode="area",
    )


def styled(layer, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """A modulated convolution with noise and activation."""
    x = x * layer.modulation(w)
    x = layer.conv(x if layer.depthwise is None else layer.depthwise(x))
    return torch.nn.functional.leaky_relu(x + layer.noise, 0.2)


def products_of_faces(generator: MobileStyleGAN) -> list[Product]:
    """The pointwise convolutions of one image as matrix products."""
    blocks: list[Any] = list(generator.blocks)
    products = []
    for k, block in enumerate(blocks):
        pixels = (8 * 2**k) ** 2
        for layer in (block.conv1, block.conv2):
            out, into = layer.conv.weight.shape[:2]
            products.append((1, pixels, into, out))
    return products


def openvino_faces(repeats: int) -> Comparison:
    """An image at full size, beside OpenVINO in full precision, for which the weights were published."""
    from openvino import Core  # pyright: ignore[reportMissingImports] (optional)

    generator, ws = face_generator(), clips.load(FACES).ws[:1]
    source = generators.SOURCES[FACE_GENERATOR]
    files = {name.suffix: name for name in (assets.fetch(asset) for asset in source.assets[2:])}
    core = Core()
    compiled = core.compile_model(
        core.read_model(files[".xml"], files[".bin"]),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()},
    )
    style = ws[:, 0].contiguous()  # its graph takes one style for all rows
    repeated = style[:, None].expand_as(ws)

    def theirs():
        return torch.from_numpy(next(iter(compiled(style.numpy()).values())).copy()).clamp(-1, 1)

    first, second, own, other = in_turn(lambda: generators.render(generator, repeated, 1024), theirs, repeats)
    difference, name = float((own - other).abs().max()), "face, 1024 px, OpenVINO"
    floor = seconds_of_products(products_of_faces(generator))
    return Comparison(name, first, second, "OpenVINO f32", difference, "[-1,1]", floor, repeats)


def long_film(repeats: int) -> Comparison:
    """Peak memory of `evaluate-edit` on a long film beside a short one; difference: what it grows by.  Measured once."""
    (long, short), (ours, other) = memory_benchmark.FRAMES, map(memory_benchmark.of_evaluation, memory_benchmark.FRAMES)
    name, of = f"evaluate-edit, {long:,} frames of 720p, GB", "of the peak"
    return Comparison(name, ours, other, f"{short} frames, GB", ours / other - 1, of, unit="GB")


COMPARISONS: dict[str, Callable[[int], Comparison]] = {
    "fits": batched_fits,
    "times": unseen_times,
    "times_equal": lambda repeats: unseen_times(repeats, equal=True),
    "paper": lambda repeats: paper_steps(repeats, {}),
    "paper_equal": lambda repeats: paper_steps(repeats, {"rtol": PAPER.solver.rtol, "atol": PAPER.solver.atol}),
    "face256": lambda repeats: faces(256, repeats),
    "face1024": lambda repeats: faces(1024, repeats),
    "openvino": openvino_faces,
    "memory": long_film,
    **torch_benchmark.COMPARISONS,
}
BY_NAME = ("memory", *torch_benchmark.COMPARISONS)  # minutes; made only where they are named
