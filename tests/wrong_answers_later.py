"""Wrong answers to the exercises of T3 to T5, each with a part of the hint that it gets, and right ones where a test wants them."""

import av
import numpy as np
import scipy
import torch
from torch.func import functional_call, jvp, vjp

import dynode
from dynode import clips
from dynode.dynamics.solvers.rollout import SolverError, SolverSettings, rollout


def ends(field, ws, ts):
    """The state at the end of each interval, from the code at its beginning."""
    settings = SolverSettings(rtol=1e-7, atol=1e-8)
    return torch.stack([rollout(field, ws[k], ts[k : k + 2], settings).states[1] for k in range(len(ws) - 1)])


def segments(field, ws, ts):
    return (ends(field, ws, ts) - ws[1:]).square().sum(-1).mean()


def single(field, ws, ts):
    """The loss of a roll-out."""
    return (rollout(field, ws[0], ts, SolverSettings(rtol=1e-7, atol=1e-8)).states - ws)[1:].square().sum(-1).mean()


def evenly(field, ws, ts):
    """As if all intervals were of the same length."""
    return segments(field, ws, torch.linspace(float(ts[0]), float(ts[-1]), len(ts), dtype=ts.dtype))


def pulled(sign, product):
    """Velocities of w and a, by a product of the Jacobian."""

    def velocities(field, t, w, a):
        return field(t, w), sign * product(lambda w: field(t, w), w, a)

    return velocities


def by_jvp(of, w, a):
    return jvp(of, (w,), (a,))[1]


def by_vjp(of, w, a):
    return vjp(of, w)[1](a)[0]


def counting(stops=SolverError, extra=0, further=False):
    """A count of steps that ends, or not, at an error."""

    def survived(step, iterations):
        done = 0
        for _ in range(iterations):
            try:
                step()
                done += 1
            except stops:
                if not further:
                    return done + extra
        return done

    return survived


def of_seeds(take):
    """The losses of seeds, by a function of the losses, one of each seed."""

    def losses(field, stacked, ws, ts):
        return take([
            segments(each_seed(field, {name: values[k] for name, values in stacked.items()}), ws, ts)
            for k in range(len(next(iter(stacked.values()))))
        ])  # fmt: skip

    return losses


def each_seed(field, weights):
    return lambda t, w: functional_call(field, weights, (t, w))


def bootstrapped(of, paired=True, level=0.95, method="percentile", resamples=1000, seed=0):
    """An interval, by percentiles unless another method is wanted."""

    def interval(errors, reference):
        drawn = scipy.stats.bootstrap(
            (errors, reference),
            of,
            paired=paired,
            n_resamples=resamples,
            confidence_level=level,
            method=method,
            rng=seed,
        )
        return tuple(drawn.confidence_interval)

    return interval


def ratio(errors, reference, axis):
    return errors.sum(axis) / reference.sum(axis)


def skills(errors, reference, axis):
    return 1 - ratio(errors, reference, axis)


def normal(errors, reference):
    """An interval of the mean of differences."""
    gap = np.asarray(reference) - np.asarray(errors)
    return gap.mean() - gap.std(), gap.mean() + gap.std()


def beats(sampling="irregular", stride=3, name="bird.beats", seed=0):
    return clips.load(name).sampled(sampling, stride, seed)


ENTRY = {
    "id": "period",
    "statement": "half of the error",
    "source": "ours",
    "row": {"metric": "latent_mse", "method": "gp_periodic", "sampling": "irregular", "split": "unobserved"},
    "to": {"method": "gp"},
    "quantity": {"name": "ratio_to_best", "end": "high"},
    "at_most": 0.5,
    "control": {"method": "cubic"},
}


def row_without(*fields):
    return ENTRY | {"row": {key: value for key, value in ENTRY["row"].items() if key not in fields}}


class Counting:
    """A counter of the codes that an editor edits, with what a test wants wrong."""

    def __init__(self, editor, first=0, passes=True, by_call=False):
        self.editor, self.count, self.passes, self.by_call = editor, first, passes, by_call

    def edit(self, ws, strength, rows=0):
        self.count += 1 if self.by_call else len(ws)
        return self.editor.edit(ws, strength, rows) if self.passes else ws


class Once(Counting):
    """It forgets what it counted before."""

    def edit(self, ws, strength, rows=0):
        self.count = len(ws)
        return self.editor.edit(ws, strength, rows)


class Whole(Counting):
    """It edits all rows of a code."""

    def edit(self, ws, strength, rows=0):
        return super().edit(ws, strength)


def titled(path):
    """The title of a video."""
    with av.open(str(path)) as container:
        return container.metadata.get("title", "")


def squares(images, truth):
    return float((images - truth).square().sum())


WRONG = {
    "T3.segment_loss": [
        (single, "own observed code"),
        (lambda f, ws, ts: segments(f, ws, ts) * (len(ws) - 1), "not their sum"),
        (lambda f, ws, ts: segments(f, ws, ts) / ws.shape[1], "sum over its coordinates"),
        (lambda f, ws, ts: segments(f, ws, ts).detach(), "no gradient"),
        (lambda f, ws, ts: float(segments(f, ws, ts).detach()), "as a tensor"),
        (lambda f, ws, ts: (ends(f, ws, ts) - ws[1:]).square().sum(-1), "one number"),
        (lambda f, ws, ts: (ends(f, ws, ts) - ws[:-1]).square().sum(-1).mean(), "uneven times"),
        (evenly, "uneven times"),
        (lambda f, ws, ts: (ends(f, ws, ts) - ws[1:]).norm(dim=-1).mean(), "are squared before"),
    ],
    "T3.adjoint": [
        (lambda field, t, w, a: field(t, w), "two velocities"),
        (lambda field, t, w, a: (w, a), "the first of the two"),
        (pulled(1, by_vjp), "the sign"),
        (pulled(-1, by_jvp), "transposed"),
        (lambda field, t, w, a: (field(t, w), -a * field(t, w)), "minus the gradient"),
    ],
    "T3.crossing": [
        (lambda one, two: float((one - two).square().sum()), "the squared distance"),
        (lambda one, two: float((one - two).square().sum() / 2), "the sum over the two passes"),
        (lambda one, two: float((one - two).square().mean() / 4), "over coordinates"),
        (lambda one, two: 0.0, "in the middle"),
    ],
    "T3.survived": [
        (lambda step, iterations: iterations, "seven calls"),
        (lambda step, iterations: [step() for _ in range(iterations)] and iterations, "must be caught"),
        (counting(extra=1), "three came to an end"),
        (counting(further=True), "no other is wanted"),
        (counting(stops=Exception), "catch SolverError alone"),
    ],
    "T3.seeds": [
        (lambda field, stacked, ws, ts: segments(field, ws, ts), "of each|each of"),
        (of_seeds(sum), "not their sum"),
        (lambda field, stacked, ws, ts: segments(field, ws, ts).expand(3), "the field's own weights"),
        (of_seeds(lambda each: 2 * torch.stack(each)), "of Exercise 1"),
        (of_seeds(lambda each: torch.stack(each).detach()), "no gradient"),
    ],
    "T4.overshoot": [
        (lambda curve, seen: float((curve.max() - seen.max()).clamp(min=0)) / 2, "below the lowest"),
        (lambda curve, seen: float(max(curve.max() - seen.max(), seen.min() - curve.min(), 0)), "of 0.5"),
        (lambda curve, seen: float(curve.max() - curve.min()) / 2, "by 0"),
        (lambda curve, seen: float(max(curve.max() - seen.max(), seen.min() - curve.min())) / 2, "by 0"),
        (lambda curve, seen: float((curve - curve.clamp(seen.min(), seen.max())).abs().sum()) / 2, "the farther one"),
    ],
    "T4.interval": [
        (bootstrapped(ratio), "interval of the ratio"),
        (bootstrapped(lambda one, two, axis: 1 - (one / two).mean(axis)), "mean of ratios"),
        (bootstrapped(skills, paired=False), "as a pair"),
        (bootstrapped(skills, level=0.9), "middle 90 %"),
        (bootstrapped(skills, method="BCa", resamples=5000), "the BCa interval"),
        (bootstrapped(skills, method="basic", resamples=5000), "the basic interval"),
        (lambda one, two: 1 - one.sum() / two.sum(), "two numbers"),
        (lambda one, two: (0.5, 0.1), "two numbers"),
        (normal, "percentile interval"),
    ],
    "T4.verdict": [
        (lambda low, high: "better" if low + high > 0 else "worse", "decides nothing"),
        (lambda low, high: "level", "the method is better"),
        (lambda low, high: "better" if low > 0 else "level", "the method is worse"),
        (lambda low, high: low > 0, "is wanted"),
    ],
    "T4.beats": [
        (dynode.METHODS["linear"], "a path is wanted"),
        (lambda *_: dynode.fit(beats(), "trend"), "a path is wanted"),
    ],
    "T4.claim": [
        (row_without("sampling"), "no part in it"),
        (row_without("split"), "no part in it"),
        (ENTRY | {"at_most": 0.55}, "0.51"),
        (ENTRY | {"at_most": 0.7}, "six tenths"),
        (ENTRY | {"at_most": "0.5"}, "a number, without quotes"),
        (ENTRY | {"at_most": 0.1}, "must be a PASS"),
        (ENTRY | {"control": {}}, "TOO EASY"),
        (ENTRY | {"quantity": "ratio_to_best"}, "upper end"),
        (ENTRY | {"quantity": {"name": "ratio_to_best", "end": "low"}}, "upper end|0.51"),
        (ENTRY | {"row": ENTRY["row"] | {"split": "hidden"}}, "finds none that is meant"),
        (ENTRY | {"to": "gp"}, "`to` is a dictionary"),
        (ENTRY | {"quantity": {"name": "ratio_to_best", "end": "upper"}}, "the end of a quantity"),
        (ENTRY | {"source": "me"}, "it is 'ours' or"),
        (ENTRY | {"at_least": 0.5}, "needs one bound"),
        ({"id": "period"}, "has no 'source'"),
    ],
    "T5.offset": [
        (lambda ws, w0, edited: ws + w0 - edited, "sign"),
        (lambda ws, w0, edited: edited.expand_as(ws), "motion of the path is lost"),
        (lambda ws, w0, edited: ws + edited, "added whole"),
        (lambda ws, w0, edited: edited - w0, "each of the 6 frames"),
        (lambda ws, w0, edited: ws + (edited - w0) / 2, "must leave the path as it is"),
    ],
    "T5.flow": [
        (lambda field, t, u, d: field(t, u + d), "velocity of the edited state"),
        (lambda field, t, u, d: field(t, u) - field(t, u + d), "sign"),
        (lambda field, t, u, d: by_jvp(lambda u: field(t, u), u, d), "it is the tangent"),
        (lambda field, t, u, d: field(t, d), "offset of zero"),
    ],
    "T5.tangent": [
        (lambda field, t, u, d: jvp(lambda u: field(t, u), (u,), (d,)), "product alone"),
        (lambda field, t, u, d: field(t, u), "the field's value"),
        (lambda field, t, u, d: field(t, u + d) - field(t, u), "that is the flow"),
        (lambda field, t, u, d: by_vjp(lambda u: field(t, u), u, d), "transposed"),
        (lambda field, t, u, d: d, "twice the offset"),
    ],
    "T5.share": [
        (lambda images, unedited, truth: squares(unedited, truth) / squares(images, truth), "turned round"),
        (lambda images, unedited, truth: squares(images, truth) / images.numel(), "error alone"),
        (lambda images, unedited, truth: 1 - squares(images, truth) / squares(unedited, truth), "a skill"),
        (lambda images, unedited, truth: squares(images, unedited), "share of 0"),
        (lambda images, unedited, truth: (squares(images, truth) / squares(unedited, truth)) ** 0.5, "no root"),
    ],
    "T5.cost": [
        (lambda editor: Counting(editor, first=1), "the count is 0"),
        (lambda editor: Counting(editor, passes=False), "editor inside returns"),
        (lambda editor: Counting(editor, by_call=True), "calls are not"),
        (Once, "are five"),
        (Whole, "`rows` is handed on"),
        (lambda editor: editor, "AttributeError"),
    ],
    "T5.marked": [
        (titled, "True or False"),
        (lambda path: True, "nobody edited"),
        (lambda path: bool(titled(path)), "nobody edited"),
        (lambda path: False, "says that it is not"),
    ],
}


def wrong_paths():
    """Wrong answers to T4.beats that are fits, which are made when they are wanted."""
    whole = clips.load("bird.beats")
    return [
        (dynode.fit(beats(), "gp"), "smoothness alone"),
        (dynode.fit(whole, "linear"), "other frames"),
        (dynode.fit(beats("regular"), "linear"), "other frames"),
        (dynode.fit(beats(name="bird.flight"), "linear"), "another clip"),
    ]
