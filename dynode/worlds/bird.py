"""A bird above foliage: wing beat, glide, turning head, take-off and landing on a branch."""

import torch

from dynode.worlds import sphere_tracing
from dynode.worlds.episodes import Motion, Motions
from dynode.worlds.factors import Factor
from dynode.worlds.registry import World, register
from dynode.worlds.shading import TAU, fractal, hashed, mix, noise, palette, pixel_grid, rgb, smoothstep, to_images
from dynode.worlds.sphere_tracing import at, both, capsule, dot, ellipsoid, length, point, smooth_min, unit

FACTORS = (
    Factor("back", 0, 4, "blue, rust, brown, green, black"),
    Factor("breast", 0, 3, "cream, orange, yellow, white"),
    Factor("size", 0.88, 1.08),
    Factor("beak", 0, 1, "length"),
    Factor("tail", 0, 1, "length"),
    Factor("wingspan", 0.80, 1.05),
    Factor("wing", 0, TAU, "phase, rad", moves=True, circular=True),
    Factor("beat", 0.05, 0.9, "amplitude, rad", moves=True),
    Factor("fold", 0, 1, "wings closed", moves=True),
    Factor("head", -0.9, 0.9, "rad", moves=True),
    Factor("height", -0.08, 0.22, moves=True),
    Factor("pitch", -0.2, 0.5, "rad", moves=True),
    Factor("foliage", 0, 1, "place"),
    Factor("sky", 0, 1, "noon to evening"),
)
BACKS = ((0.10, 0.22, 0.48), (0.42, 0.10, 0.07), (0.30, 0.21, 0.12), (0.14, 0.30, 0.12), (0.09, 0.09, 0.11))
BREASTS = ((0.85, 0.78, 0.62), (0.85, 0.34, 0.08), (0.80, 0.66, 0.12), (0.88, 0.88, 0.86))
MARCH = 40
FAR = 4.5
BRANCH = -0.40  # height of the branch
FAST = 4  # wing beats in an episode until 2026-11-23, when they were slowed after methods had failed on them
BODY, BEAK, EYES, WINGS, TAIL, LEGS, BARK = range(7)


class Bird:
    """The scenes of factors (B, 14).  p: points of the world; q: points in the bird's own frame, beak along x, its
    back along y, unit size; h: points in the frame of its turned head."""

    def __init__(self, factors: torch.Tensor):
        back, breast, size, beak, tail, span, phase, beat, fold, head, height, pitch, foliage, sky = factors.T
        none = torch.zeros_like(back)
        fold = smoothstep(0.6, 1.0, fold)  # most of the range is flight
        self.back, self.breast = palette(BACKS, back), palette(BREASTS, breast)
        columns = (size, beak, tail, span, fold, head, pitch, foliage, sky)
        self.size, self.beak, self.tail, self.span, self.fold, self.turn, self.pitch, self.foliage, self.sky = (
            column[:, None] for column in columns
        )
        rise = 0.06 * beat * torch.cos(phase) * (1 - fold)  # the body rises on the down stroke
        self.centre = point(none, height + rise, 0.0)
        self.inner = mix(0.10 + beat * torch.sin(phase), none - 0.35, fold)[:, None]
        self.outer = mix(0.05 + 0.55 * beat * torch.sin(phase - 1.1), none, fold)[:, None]
        self.light = unit(at(0.35, 0.85, 0.55, like=back))
        self.eye, self.target = at(0.75, 0.30, 2.3, like=back), at(-0.02, 0.02, 0.0, like=back)

    def own(self, p):
        q = (p - self.centre) / self.size
        c, s = torch.cos(self.pitch), torch.sin(self.pitch)
        return torch.stack([c * q[0] + s * q[1], c * q[1] - s * q[0], q[2]])

    def of_head(self, q):
        v = q - at(0.30, 0.13, 0.0, like=q)
        c, s = torch.cos(self.turn), torch.sin(self.turn)
        return torch.stack([c * v[0] + s * v[2], v[1], c * v[2] - s * v[0]])

    def body(self, q, h):
        trunk = ellipsoid(q, at(0.0, 0.0, 0.0, like=q), at(0.33, 0.155, 0.15, like=q))
        neck = capsule(q, at(0.16, 0.04, 0.0, like=q), at(0.28, 0.11, 0.0, like=q), 0.085)
        return smooth_min(smooth_min(trunk, neck, 0.10), length(h) - 0.115, 0.06)

    def bill(self, h):
        long = 0.06 + 0.12 * self.beak
        fraction = ((h[0] - 0.09) / long).clamp(0, 1)
        off = torch.stack([h[0] - 0.09 - fraction * long, h[1] + 0.012 + 0.02 * fraction.square(), h[2]])
        return 0.8 * (length(off) - mix(0.040, 0.004, fraction))

    def eyes(self, h):
        return length(torch.stack([h[0] - 0.055, h[1] - 0.028, h[2].abs() - 0.088])) - 0.021

    def rudder(self, q):
        reach = 0.16 + 0.26 * self.tail
        fraction = ((-0.26 - q[0]) / reach).clamp(0, 1)
        aside = (q[2].abs() - mix(0.03, 0.085, fraction)).clamp(min=0)
        return 0.8 * (
            length(torch.stack([-0.26 - q[0] - fraction * reach, q[1] - 0.03 + 0.05 * fraction, aside])) - 0.014
        )

    def legs(self, q):
        """Stretched down where the wings are closed, drawn up and back in flight."""
        down = mix(0.05, 0.175, self.fold)
        back = 0.25 * (1 - self.fold) * (-0.12 - q[1]).clamp(0, 0.2)
        below = ((q[1] + 0.12 + down / 2).abs() - down / 2).clamp(min=0)
        return length(torch.stack([q[0] - 0.03 + back, below, q[2].abs() - 0.05])) - 0.012

    def wings(self, q):
        """Distance to both wings; where a point lies along (0 shoulder, 1 tip) and across them (1 leading edge)."""
        side = torch.stack([q[0], q[1], q[2].abs()])
        shoulder, long = at(0.06, 0.08, 0.09, like=q), 0.36 * self.span * mix(1.0, 0.62, self.fold)
        axis = self.spanwise(self.inner)
        d1, along1, across1 = self.panel(side - shoulder, axis, long, 0.155, 0.135)
        tip = self.spanwise(self.inner + self.outer)
        d2, along2, across2 = self.panel(side - shoulder - axis * long, tip, 1.25 * long, 0.135, 0.035)
        outer = d2 < d1
        along = torch.where(outer, 0.45 + 0.55 * along2, 0.45 * along1)
        return torch.minimum(d1, d2), along, torch.where(outer, across2, across1)

    def spanwise(self, angle):
        """Direction of a panel that is raised by an angle, or closed along the body."""
        opened = torch.stack([torch.zeros_like(angle), torch.sin(angle), torch.cos(angle)])
        return unit(mix(opened, at(-0.96, -0.16, 0.14, like=angle), self.fold))

    def panel(self, v, axis, long, root: float, tip: float):
        """One flat, slightly bowed panel from the origin along `axis`: distance, position (0 to 1) along and across it."""
        chord = unit(mix(at(1.0, 0.0, 0.0, like=v), at(0.16, -0.97, 0.1, like=v), self.fold))
        chord = unit(chord - axis * dot(chord, axis))
        normal = torch.linalg.cross(axis, chord.expand_as(axis), dim=0)
        a, c = dot(v, axis), dot(v, chord)
        along = (a / long).clamp(0, 1)
        half = mix(root, tip, along**1.4) * mix(1.0, 0.62, self.fold)
        bow = dot(v, normal) - 0.03 * (1 - (c / half).square().clamp(max=1))
        swept = c + (0.35 * (root - tip) + 0.02) * along
        slabs = torch.stack([(a - long / 2).abs() - long / 2, swept.abs() - half, bow.abs() - 0.010])
        return 0.7 * (both(slabs) - 0.006), along, swept / half

    def branch(self, p):
        bend = 0.03 * torch.sin(2.3 * p[0] + 1)
        return 0.8 * (torch.hypot(p[1] - BRANCH - bend, p[2]) - 0.035 - 0.006 * torch.sin(17 * p[0]))

    def parts(self, p):
        """Distances (7, B, N) in the order of BODY ... BARK."""
        q = self.own(p)
        h = self.of_head(q)
        own = (self.body(q, h), self.bill(h), self.eyes(h), self.wings(q)[0], self.rudder(q), self.legs(q))
        return torch.stack([*(d * self.size for d in own), self.branch(p).expand_as(own[0])])

    def distance(self, p):
        return self.parts(p).amin(0)

    def plumage(self, q, h):
        """Albedo of the body: breast below, a mask along the eye."""
        down = 0.85 + 0.3 * fractal(26 * q[0], 40 * q[1] + 20 * q[2], 3, 3)
        belly = smoothstep(0.02, -0.05, q[1] - 0.22 * q[0] + 0.02 * noise(20 * q[0], 20 * q[1], 9))
        throat = smoothstep(0.0, -0.03, h[1] + 0.01 - 0.25 * (h[0] - 0.02)) * smoothstep(0.22, 0.30, q[0])
        colour = mix(self.back, self.breast, torch.maximum(belly, throat)[None]) * down[None]
        line = smoothstep(0.035, 0.022, (h[1] - 0.026 - 0.05 * (h[0] - 0.05)).abs())
        mask = line * smoothstep(-0.02, 0.05, h[0]) * smoothstep(0.2, 0.3, q[0])
        return colour * (1 - 0.6 * mask)[None]

    def feathers(self, q):
        """Albedo of the wings: dark primaries behind, a pale bar."""
        _, along, across = self.wings(q)
        gaps = smoothstep(0.35, 0.5, (13 * along % 1 - 0.5).abs())
        primary = smoothstep(0.1, -0.2, across) * (0.55 + 0.45 * gaps)
        bar = smoothstep(0.16, 0.10, (across - 0.18).abs())
        return mix(self.back * mix(1.05, 0.42, primary)[None], 0.9 * self.breast, (0.75 * bar)[None])

    def materials(self, p):
        """Albedo (3, B, N) of points on surfaces, and which part they belong to."""
        which = self.parts(p).argmin(0)
        q = self.own(p)
        ribs = smoothstep(0.3, 0.5, (42 * q[2] % 1 - 0.5).abs())
        horn, dark = rgb(0.75, 0.45, 0.10, like=p), rgb(0.015, 0.012, 0.01, like=p)
        grain = fractal(10 * p[0], 60 * p[1], 13, 3)
        bark = mix(rgb(0.16, 0.11, 0.07, like=p), rgb(0.36, 0.28, 0.20, like=p), grain[None])
        tail = self.back * mix(0.9, 0.5, ribs)[None]
        body = self.plumage(q, self.of_head(q))
        albedo = torch.zeros_like(p)
        for k, colour in enumerate((body, 0.75 * horn, dark, self.feathers(q), tail, 0.5 * horn, bark)):
            albedo = torch.where(which == k, colour, albedo)
        return albedo, which

    def shade(self, p, direction):
        """Light (3, B, N) that leaves points of surfaces towards the eye."""
        albedo, which = self.materials(p)
        n = sphere_tracing.normals(self.distance, p)
        facing = dot(n, self.light)
        through = (which == WINGS) * 0.35 * (-facing).clamp(min=0)  # light that shines through feathers
        sun = mix(rgb(1.15, 1.10, 1.0, like=p), rgb(1.25, 0.85, 0.55, like=p), self.sky[None])
        above = (0.5 + 0.5 * n[1])[None]
        ambient = mix(rgb(0.20, 0.26, 0.14, like=p), rgb(0.38, 0.46, 0.58, like=p), above)
        ambient = ambient * mix(0.5, 1.0, sphere_tracing.openness(self.distance, p, n, 0.08))[None]
        gloss = p.new_tensor([0.06, 0.56, 2.56, 0.06, 0.06, 0.06, 0.06])[which]
        spark = gloss * dot(n, unit(self.light - direction)).clamp(min=0) ** 40
        rim = 0.25 * (1 + dot(n, direction)).clamp(0, 1) ** 3
        diffuse = sun * ((0.75 * facing + 0.25).clamp(min=0) + through)[None]
        return albedo * (ambient + diffuse + rim[None]) + sun * spark[None]

    def background(self, x, y):
        """Sky above foliage that is out of focus."""
        up = (0.5 + 0.5 * y)[None]
        noon = mix(rgb(0.62, 0.78, 0.92, like=y), rgb(0.22, 0.45, 0.80, like=y), up)
        evening = mix(rgb(1.0, 0.78, 0.55, like=y), rgb(0.55, 0.50, 0.70, like=y), up)
        cloud = smoothstep(0.45, 0.8, fractal(1.2 * x + 9, 2.2 * y, 61, 3))
        behind = mix(mix(noon, evening, self.sky[None]), rgb(1.0, 0.97, 0.95, like=y), (0.6 * cloud)[None])
        u = x + 2.5 * self.foliage
        for layer, (low, scale, tone) in enumerate(((0.15, 1.6, 0.75), (-0.25, 2.4, 1.0))):
            top = low + 0.85 * (fractal(scale * u, layer + torch.zeros_like(u), 67 + layer, 3) - 0.45)
            leaves = fractal(4.5 * u, 4.5 * y, 71 + layer, 3)
            green = mix(rgb(0.05, 0.13, 0.03, like=y), rgb(0.34, 0.48, 0.10, like=y), leaves[None])
            green = green * mix(1.0, rgb(1.42, 0.85, 0.67, like=y), self.sky[None])
            behind = mix(behind, tone * green, smoothstep(-0.10, 0.10, top - y + 0.25 * (leaves - 0.5))[None])
        return behind + rgb(0.22, 0.25, 0.11, like=y) * self.bokeh(u, y)[None]

    def bokeh(self, u, y, cells: float = 3.5):
        """Discs of light that falls through leaves."""
        left, below = torch.floor(cells * u), torch.floor(cells * y)
        du = cells * u - left - 0.3 - 0.4 * hashed(left, below, 81)
        dv = cells * y - below - 0.3 - 0.4 * hashed(left, below, 82)
        bright = smoothstep(0.55, 0.9, hashed(left, below, 83)) * smoothstep(0.1, -0.3, y)
        return bright * smoothstep(0.26, 0.20, torch.hypot(du, dv))


def render(factors: torch.Tensor, resolution: int, samples: int = 2) -> torch.Tensor:
    """Images (B, 3, R, R) in [-1, 1] of factors (B, 14); samples a pixel's side."""
    bird = Bird(factors)
    x, y = pixel_grid(resolution, samples, factors)
    direction = sphere_tracing.rays(bird.eye, bird.target, x, y, zoom=0.31).expand(3, len(factors), -1)
    travelled = sphere_tracing.march(bird.distance, bird.eye, direction, near=1.0, far=FAR, steps=MARCH)
    surface = bird.shade(bird.eye + direction * travelled, direction)
    return to_images(torch.where(travelled < FAR, surface, bird.background(x, y)), resolution, samples)


def flight(motions: Motions, seconds: float, tempo: float = 2) -> dict[str, Motion]:
    """Wing beats whose tempo and strength change, down to a glide and up again.  tempo: beats in an episode."""
    motions.fix("fold", 0.0)
    return {
        "wing": motions.cycle(tempo / seconds, varying=0.35, lasting=seconds),
        "beat": motions.wander("beat", 0.9 * seconds, (0.15, 1.0)),
        "head": motions.wander("head", seconds),
        "height": motions.wander("height", seconds),
        "pitch": motions.wander("pitch", seconds, (0.1, 0.5)),
    }


def beats(motions: Motions, seconds: float) -> dict[str, Motion]:
    """Steady wing beats, three a second, hardly faster and slower; nothing else moves."""
    motions.fix("fold", 0.0)
    motions.fix("beat", motions.factor("beat").at(0.85))
    return {"wing": motions.cycle(3.0, varying=0.03, lasting=seconds)}


def moored(motions: Motions, seconds: float, before: float, after: float, tempo: float = 1.6) -> dict[str, Motion]:
    """Between the branch (1) and the air (0): wings, height and attitude change together, over a few slow beats."""
    when, lasting = motions.rng.uniform(0.4, 0.6) * seconds, 0.6 * seconds
    low, high = motions.factor("height").at(0.0), motions.factor("height").at(motions.rng.uniform(0.6, 1.0))
    steep, flat = motions.factor("pitch").at(1.0), motions.factor("pitch").at(0.25)
    return {
        "fold": motions.change(before, after, when, lasting),
        "height": motions.change(*((low, high) if before > after else (high, low)), when, lasting),
        "pitch": motions.change(*((steep, flat) if before > after else (flat, steep)), when, lasting),
        "wing": motions.cycle(tempo / seconds, varying=0.2, lasting=seconds),
        "head": motions.wander("head", seconds),
    }


def take_off(motions: Motions, seconds: float) -> dict[str, Motion]:
    return moored(motions, seconds, 1.0, 0.0)


def landing(motions: Motions, seconds: float) -> dict[str, Motion]:
    return moored(motions, seconds, 0.0, 1.0)


def fast_flight(motions: Motions, seconds: float) -> dict[str, Motion]:
    return flight(motions, seconds, FAST)


def fast_take_off(motions: Motions, seconds: float) -> dict[str, Motion]:
    return moored(motions, seconds, 1.0, 0.0, FAST)


def fast_landing(motions: Motions, seconds: float) -> dict[str, Motion]:
    return moored(motions, seconds, 0.0, 1.0, FAST)


KINDS = {
    "flight": flight,
    "beats": beats,
    "take_off": take_off,
    "landing": landing,
    "fast_flight": fast_flight,
    "fast_take_off": fast_take_off,
    "fast_landing": fast_landing,
}

register(World("bird", "a bird above foliage", FACTORS, render, KINDS, pictures_per_second=9, order=2))
