"""How fast this package works beside the plain way, and beside what the machine could do: side by side, in one run.

Each comparison times both ways in turn, several times, and takes medians. Its floor is the arithmetic of the work,
counted, over the measured rate of matrix products of the same shapes: what a perfect program would take here.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torchdiffeq

from dynode import clips, generators
from dynode.dynamics.fitting import batched, trainer
from dynode.dynamics.presets import latent_only, preset
from dynode.evaluation.records import Row
from dynode.generators.mobile_stylegan import MobileStyleGAN, inverse_haar
from dynode.settings import changed

PAPER = latent_only(preset("paper"))
PAPER_FRAMES = 36
LEARNING_RATE = 1e-4
STEPS = 5  # of the preset's 5,000
FITS = 64
TIMES = 1000
CLIP = "scene.day"
FACES = "single_face.warm"
STRIDE = 4


@dataclass(frozen=True)
class Comparison:
    """Seconds of ours and of the other way, medians over `repeats`; the floor's, where the work was counted.

    difference: the largest absolute difference between the two results, in the unit named in `of`.
    """

    name: str
    ours: float
    other: float
    other_name: str
    difference: float
    of: str
    floor: float | None = None
    repeats: int = 1

    @property
    def ratio(self) -> float:
        return self.other / self.ours

    def rows(self) -> Iterator[Row]:
        """Every number as a record has it."""
        named = {"category": "", "space": "", "variant": self.name, "n": self.repeats}
        yield Row("seconds", self.ours, method="ours", unit="s", **named)
        yield Row("seconds", self.other, method=self.other_name, unit="s", **named)
        if self.floor is not None:
            yield Row("seconds", self.floor, method="floor", unit="s", **named)
        yield Row("ratio", self.ratio, method="ours", **named)
        yield Row("difference", self.difference, method="ours", unit=self.of, **named)


def in_turn(ours: Callable, other: Callable, repeats: int) -> tuple[float, float, object, object]:
    """Median seconds of both, called in turn, and what they gave at last; the first call of each does not count."""
    first, second, results = [], [], [ours(), other()]
    for _ in range(repeats):
        for k, (call, seconds) in enumerate(((ours, first), (other, second))):
            began = time.perf_counter()
            results[k] = call()
            seconds.append(time.perf_counter() - began)
    return statistics.median(first), statistics.median(second), *results


def seconds_of_products(shapes: list[tuple[int, int, int, int]], repeats: int = 5) -> float:
    """Seconds that matrix products (batch, m, k, n) take here, each at its best of several, times how often each occurs."""
    total = 0.0
    for shape in dict.fromkeys(shapes):
        batch, m, k, n = shape
        a, b = torch.randn(batch, m, k), torch.randn(batch, k, n)
        best = min(timed(lambda a=a, b=b: torch.bmm(a, b)) for _ in range(repeats))
        total += best * shapes.count(shape)
    return total


def timed(call: Callable) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def fits_together(repeats: int) -> Comparison:
    """As many fits of the default preset as one problem, beside one after another (which is timed on an eighth of them)."""
    settings, share = preset("dynode"), FITS // 8
    shown = [clips.load(CLIP).sampled("irregular", STRIDE, seed, 2) for seed in range(FITS)]
    ts = shown[0].ts

    def at_once():
        return batched.fit(shown, range(FITS), settings)

    def one_by_one():
        return [trainer.fit(clip, settings, seed) for seed, clip in enumerate(shown[:share])]

    ours, other, many, few = in_turn(at_once, one_by_one, repeats)
    difference = max(float((a(ts) - b(ts)).abs().max()) for a, b in zip(many, few, strict=False))
    name = f"fit {FITS} clips"
    floor = seconds_of_products(products_of_fits(many[0], FITS))
    return Comparison(name, ours, 8 * other, f"one after another ({share} timed)", difference, "w", floor, repeats)


def products_of_fits(fit, count: int) -> list[tuple[int, int, int, int]]:
    """The matrix products of so many fits like this one: each layer, forward and twice backward, at every evaluation."""
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
    """One learned path at many times it was not asked for before, beside torchdiffeq with its default tolerances.

    equal: with the loosest tolerances, by factors of ten, that are as near as our fixed steps are to the exact solution.
    """
    fit = trainer.fit(clips.load(CLIP).sampled("regular", STRIDE, 0, 2), preset("dynode"))
    ts = torch.linspace(*fit.span, TIMES + 2, dtype=torch.float64)[1:-1]
    taus = fit.clock(ts).to(fit.seen)

    @torch.no_grad()
    def plain(**tolerances):
        found = [from_both_sides(fit, taus, k, tolerances) for k in range(len(fit.taus) - 1)]
        return fit.space.decode(torch.cat(found)).float()

    tolerances, exact = {}, plain()
    if equal:
        error = float((fit(ts) - exact).abs().max())
        candidates = [{"rtol": 10.0**-k, "atol": 10.0 ** -(k + 1)} for k in range(2, 8)]
        tolerances = next((one for one in candidates if float((plain(**one) - exact).abs().max()) <= error), {})
    ours, other, own, _ = in_turn(lambda: fit(ts), lambda: plain(**tolerances), repeats)
    difference, told = float((own - exact).abs().max()), f"rtol {tolerances['rtol']:.0e}" if tolerances else "defaults"
    name = f"{TIMES} unseen times{', as exact' * equal}"
    return Comparison(name, ours, other, f"torchdiffeq, {told}", difference, "w", None, repeats)


def from_both_sides(fit, taus: torch.Tensor, k: int, tolerances: dict[str, float]) -> torch.Tensor:
    """States at the times between observations k and k + 1, by one solve from each of them."""
    inside = taus[(taus >= fit.taus[k]) & (taus < fit.taus[k + 1])]
    ahead = torchdiffeq.odeint(fit.field, fit.seen[k], torch.cat([fit.taus[k : k + 1] - 1e-6, inside]), **tolerances)[
        1:
    ]
    down = torch.cat([fit.taus[k + 1 : k + 2], inside.flip(0)])
    back = torchdiffeq.odeint(fit.field, fit.seen[k + 1], down, **tolerances)[1:].flip(0)
    share = (inside - fit.taus[k]) / (fit.taus[k + 1] - fit.taus[k])
    return torch.lerp(ahead, back, share[:, None, None])


def paper_steps(repeats: int, tolerances: dict[str, float]) -> Comparison:
    """Steps of the preset `paper` with the latent loss alone, beside a plain loop over torchdiffeq; a few of its 5,000.

    tolerances: of the plain loop; torchdiffeq's own where there are none.  At the preset's learning rate the fit diverges
    within ten steps, here it is LEARNING_RATE.  Both fits go on with every call; difference: of their losses after the
    last step, as a share of theirs.
    """
    settings = changed(PAPER, {"training.lr": LEARNING_RATE, "training.check_every": 10**6})
    clip = clips.load(CLIP).head(PAPER_FRAMES)
    own, others = (trainer.Begun.of(clip, settings, 0).training for _ in range(2))
    optimiser = torch.optim.Adam(others.field.parameters(), lr=LEARNING_RATE)

    def ours():
        for _ in range(STEPS):
            own.advance()

    def plain():
        for _ in range(STEPS):
            index = others.subset()
            states = torchdiffeq.odeint(
                others.field, others.u[index[0]], others.taus[index], method="dopri5", **tolerances
            )
            optimiser.zero_grad()
            (states[1:] - others.u[index[1:]]).square().sum().backward()
            optimiser.step()

    seconds = in_turn(ours, plain, repeats)[:2]
    floor = seconds_of_products(products_of_steps(own, repeats + 1))
    told = "equal tolerances" if tolerances else "defaults"
    difference = looked(own) / looked(others) - 1
    name = f"paper, {STEPS} of 5,000 steps, {told}"
    return Comparison(name, *seconds, f"torchdiffeq, {told}", difference, "share of the loss", floor, repeats)


def looked(fit: trainer.Training) -> float:
    """The mean squared error of a roll-out from the first frame on, over the codes' variance."""
    fit.look()
    return fit.looks[-1]


def products_of_steps(fit: trainer.Training, calls: int) -> list[tuple[int, int, int, int]]:
    """The matrix products of a call of `paper_steps`, on average: each layer forward and back at every evaluation, its
    weights once a step."""
    layers = [tuple(weight.shape) for weight in fit.field.net.parameters() if weight.dim() == 2]
    rows, evaluations = fit.u.shape[1], round(fit.nfe / calls)
    each = [shape for out, into in layers for shape in ((1, rows, into, out), (1, rows, out, into))]
    weights = [(1, out, rows * round(evaluations / STEPS), into) for out, into in layers]
    return each * evaluations + weights * STEPS


def faces(resolution: int, repeats: int) -> Comparison:
    """A picture of the face generator, beside the same network layer by layer."""
    generator, ws = generators.load("mobilestylegan-ffhq"), clips.load(FACES).ws[:1]

    def ours():
        return generators.render(generator, ws, resolution)

    def plain():
        return layer_by_layer(generator, ws, resolution).clamp(-1, 1)

    seconds = in_turn(ours, plain, repeats)
    difference = float((seconds[2] - seconds[3]).abs().max())
    floor = seconds_of_products(products_of_faces(generator))
    return Comparison(f"face, {resolution} px", *seconds[:2], "layer by layer", difference, "[-1,1]", floor, repeats)


@torch.no_grad()
def layer_by_layer(generator: MobileStyleGAN, ws: torch.Tensor, resolution: int) -> torch.Tensor:
    """The whole picture, as the network is written down, then reduced."""
    x = styled(generator.conv1, generator.const, ws[:, 0])
    for k, block in enumerate(generator.blocks):
        up, first, second = ws[:, 1 + 3 * k], ws[:, 2 + 3 * k], ws[:, 3 + 3 * k]
        x = styled(block.conv2, styled(block.conv1, inverse_haar(x * block.up(up)), first), second)
    return torch.nn.functional.interpolate(
        inverse_haar(generator.to_img(x, generator.to_img.modulation(ws[:, 22]))),
        size=(resolution, resolution),
        mode="area",
    )


def styled(layer, x, w):
    x = x * layer.modulation(w)
    x = layer.conv(x if layer.depthwise is None else layer.depthwise(x))
    return torch.nn.functional.leaky_relu(x + layer.noise, 0.2)


def products_of_faces(generator: MobileStyleGAN) -> list[tuple[int, int, int, int]]:
    """The pointwise convolutions of one picture as matrix products."""
    found = []
    for k, block in enumerate(generator.blocks):
        pixels = (8 * 2**k) ** 2
        for layer in (block.conv1, block.conv2):
            out, into = layer.conv.weight.shape[:2]
            found.append((1, pixels, into, out))
    return found


def openvino_faces(repeats: int) -> Comparison:
    """A picture at full size, beside OpenVINO in full precision, which the weights were published for."""
    from openvino import Core

    from dynode.io import assets

    generator, ws = generators.load("mobilestylegan-ffhq"), clips.load(FACES).ws[:1]
    source = generators.SOURCES["mobilestylegan-ffhq"]
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

    seconds = in_turn(lambda: generators.render(generator, repeated, 1024), theirs, repeats)
    difference = float((seconds[2] - seconds[3]).abs().max())
    floor = seconds_of_products(products_of_faces(generator))
    return Comparison("face, 1024 px, OpenVINO", *seconds[:2], "OpenVINO f32", difference, "[-1,1]", floor, repeats)


COMPARISONS = {
    "fits": fits_together,
    "times": unseen_times,
    "times_equal": lambda repeats: unseen_times(repeats, equal=True),
    "paper": lambda repeats: paper_steps(repeats, {}),
    "paper_equal": lambda repeats: paper_steps(repeats, {"rtol": PAPER.solver.rtol, "atol": PAPER.solver.atol}),
    "face256": lambda repeats: faces(256, repeats),
    "face1024": lambda repeats: faces(1024, repeats),
    "openvino": openvino_faces,
}
