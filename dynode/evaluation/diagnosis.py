"""Diagnosis of a clip for learned dynamics: noise, steps and cuts of its codes, before any method is fitted (`dynode diagnose`)."""

import math
from dataclasses import dataclass, replace

import torch

from dynode.clips import Clip, frame_rate, sampled_frames
from dynode.dynamics.baselines import interpolation
from dynode.dynamics.leave_one_out import FEW, SIMPLEST, Comparison
from dynode.evaluation.counts import counted
from dynode.evaluation.inversion_quality import inversion_quality
from dynode.metrics.latent import latent_mse

STRIDES = (2, 3, 4, 6, 8, 12, 16)
NOISY = 0.5  # fraction of a clip's squared steps from which jitter makes smooth methods lose to linear interpolation
RELATED = 0.25  # mean cosine of neighbouring steps below which one step hardly predicts the next
EXPLAINED = 0.9  # of the codes' variance, the fraction that linear interpolation should still explain
CUT_RATIO = 6.0  # a step this many times the median is a cut candidate
NETS = {"lpips_vgg": "VGG", "lpips_alex": "Alex"}


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Per frame: mse, lpips by its network (against the source, as recorded at inversion; may be empty), norms of w minus
    its clip's mean.

    steps (T - 1,): lengths |w_{k+1} - w_k|.  turn: mean cosine of neighbouring steps, near 1 smooth, 0 unrelated, -0.5
    white noise; NaN of one step.  jitter: fraction of the mean squared step that is white noise; NaN of fewer than three.
    stride: recommended; 1: use all frames.
    """

    clip: Clip
    mse: list[float]
    lpips: dict[str, list[float]]
    norms: torch.Tensor
    steps: torch.Tensor
    turn: float
    jitter: float
    cuts: list[int]
    stride: int

    def __repr__(self):
        return f"<Diagnosis of {self.clip.name}: {self.verdict}, stride {self.stride} recommended>"

    @property
    def verdict(self) -> str:
        """Whether the steps let methods win that are smoother than linear interpolation."""
        if math.isnan(self.turn):
            return "too short to judge"
        if self.jitter >= NOISY:
            return "noisy: linear interpolation is hard to beat"
        if self.turn < RELATED:
            return "neighbouring steps are hardly related: linear interpolation is hard to beat"
        return "smooth"

    @property
    def noise(self) -> str:
        """The jitter in words, which three steps are needed for."""
        return f"not defined for {len(self.clip)} frames" if math.isnan(self.jitter) else f"{100 * self.jitter:.0f} %"

    @property
    def noise_and_turn(self) -> str:
        """A line on both, with the verdict."""
        if math.isnan(self.turn):
            return f"jitter and turn: {self.noise}"
        share = self.noise if math.isnan(self.jitter) else f"{self.noise} of the squared steps"
        return f"jitter: {share}, turn {self.turn:+.2f} ({self.verdict})"

    def text(self, faces: bool = False) -> str:
        """Sentences, one a line.  faces: without the recorded identity, where a comparison of the faces follows."""
        clip = self.clip
        lines = [
            f"{clip.name}: {len(clip)} frames, {float(clip.ts[-1] - clip.ts[0]):.2f} s, {frame_rate(clip.ts):.1f} fps"
        ]
        lines += [f"protocol of the codes: {clip.protocol}"] if clip.protocol else []
        if self.mse:
            worst = max(range(len(self.mse)), key=self.mse.__getitem__)
            distances = "".join(f", LPIPS-{net} {mean(values):.3f}" for net, values in self.lpips.items())
            lines.append(
                f"reconstruction: MSE {mean(self.mse):.4f} (worst {self.mse[worst]:.4f}, projected frame {worst}){distances}"
            )
        lines += inversion_quality(clip).remarks_before(faces)
        if clip.detected is not None and not clip.detected.all():
            lines.append(
                f"face not detected: frames {(~clip.detected).nonzero().flatten().tolist()} (codes interpolated)"
            )
        low, high = self.norms.aminmax()
        lines.append(f"codes: |w - mean| {low:.1f} to {high:.1f}")
        lines.append(f"steps: median {self.steps.median():.2f}, longest {self.steps.max():.2f}")
        lines.append(self.noise_and_turn)
        lines.append(f"cut candidates: {', '.join(f'before frame {k}' for k in self.cuts) or 'none'}")
        lines.append(f"recommended stride: {self.stride}")
        return "\n".join(lines)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def diagnose(clip: Clip) -> Diagnosis:
    """Measure a clip; a few tensor operations, no network."""
    flat = clip.ws.double().flatten(1)
    steps = flat.diff(dim=0)
    lengths = steps.norm(dim=1)
    turn = torch.nn.functional.cosine_similarity(steps[:-1], steps[1:], dim=1).mean() if len(steps) > 1 else math.nan
    return Diagnosis(
        clip,
        recorded(clip, "mse"),
        {net: values for key, net in NETS.items() if (values := recorded(clip, key))},
        (flat - flat.mean(0)).norm(dim=1),
        lengths,
        float(turn),
        jitter(steps),
        cut_candidates(clip, lengths),
        recommended_stride(clip),
    )


def recorded(clip: Clip, name: str) -> list[float]:
    """Numbers of the inverted frames by their name in the metadata; none where they are those of other frames, as of a part."""
    values = clip.meta.get(name, [])
    inverted = len(clip) if clip.detected is None else int(clip.detected.sum())
    return values if len(values) == inverted else []


def jitter(steps: torch.Tensor) -> float:
    """The fraction of white noise in the mean squared step: noise of variance s^2 on every frame adds 2 s^2 to it and
    correlates neighbouring steps by -s^2; NaN of fewer than three steps."""
    if len(steps) < 3:
        return math.nan
    neighbours = (steps[:-1] * steps[1:]).sum(1).mean()
    apart = (steps[:-2] * steps[2:]).sum(1).mean()
    noise = (apart - neighbours).clamp(min=0)  # smooth motion gives both products the same value
    return float((2 * noise / steps.square().sum(1).mean()).clamp(max=1))


def cut_candidates(clip: Clip, lengths: torch.Tensor) -> list[int]:
    """Frames that begin a shot, by the clip's own marks or by a step far longer than usual."""
    jumps = lengths > CUT_RATIO * lengths.median()
    if clip.shots is not None:
        jumps = jumps | (clip.shots.diff() > 0)
    return (jumps.nonzero().flatten() + 1).tolist()


def recommended_stride(clip: Clip) -> int:
    """The longest stride at which linear interpolation still explains most of the unobserved codes."""
    best, variance = 1, (clip.ws - clip.ws.mean(0)).double().square().mean()
    for stride in (s for s in STRIDES if 2 * s < len(clip)):
        thinned = replace(clip, observed=sampled_frames(clip.observed, clip.shots, "regular", stride))
        unobserved = ~thinned.observed & clip.observed
        if not unobserved.any():
            continue
        path = interpolation.Linear.fit(thinned)
        if latent_mse(path(clip.ts), clip.ws)[unobserved].mean() <= (1 - EXPLAINED) * variance:
            best = stride
    return best


def few_observed(observed: torch.Tensor, shots: torch.Tensor | None = None, stride: int = 1) -> str:
    """A sentence where a shot has fewer than four observed frames, which a stride may leave of it; else "".

    observed (T,) bool, shots (T,) int.  Shots with fewer than two are not fitted at all, and do not count.
    """
    shots = torch.zeros(len(observed), dtype=torch.long) if shots is None else shots
    counts = {int(k): (int((observed & (shots == k)).sum()), int((shots == k).sum())) for k in shots.unique()}
    count, number, frames = min(((kept, k, of) for k, (kept, of) in counts.items() if kept > 1), default=(FEW, 0, 0))
    if count >= FEW:
        return ""
    which = f" of shot {number}" if len(counts) > 1 else ""
    alone = f" (both ends: the stride of {stride} is not below their number)" * (2 < frames <= stride)
    return (
        f"Only {count} of the {frames} frames{which} are observed{alone}: with fewer than {FEW} there is hardly more "
        f"to learn than linear interpolation; take {advice_on_few(frames, stride)}."
    )


def advice_on_few(frames: int, stride: int) -> str:
    """What to take where a stride observes few of a shot's frames: a smaller one that still holds frames out, if any."""
    smaller = (frames - 1) // (FEW - 1)
    if 1 < smaller < stride:
        return f"a stride of {smaller} or less"
    if smaller == 1 < stride:
        return "a longer excerpt, or a stride of 1, which observes them all and leaves none to predict"
    return "a longer excerpt"


def recommended_method(compared: Comparison) -> str:
    """A sentence on the method that observed frames left out recommend, which the preset `auto` takes."""
    if not compared.errors:
        return (
            f"Recommended: --preset {compared.chosen}, since fewer than {FEW} observed frames are too few to choose by."
        )
    where = f"at {counted(len(compared.ts), 'observed frame')} left out"
    if compared.chosen == SIMPLEST:
        return f"Recommended: --preset {SIMPLEST}; no other error {where} is lower by more than one standard error."
    return f"Recommended: --preset {compared.chosen}; its error {where} is {compared.ratio(compared.chosen):.2f} of linear interpolation's."
