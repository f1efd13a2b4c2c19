"""A lake below mountains through days and weather: sun, moon, stars, clouds, ridges, fog, snow, and their reflection."""

import torch

from dynode.worlds.episodes import Motion, Motions
from dynode.worlds.factors import Factor
from dynode.worlds.registry import World, register
from dynode.worlds.shading import TAU, fractal, hashed, mix, noise, pixel_grid, rgb, smoothstep, to_images

FACTORS = (
    Factor("hour", 0, 24, "h", moves=True, circular=True),
    Factor("clouds", 0, 1, "cover", moves=True),
    Factor("wind", 0, 1, "drift of the clouds", moves=True),
    Factor("fog", 0, 1, moves=True),
    Factor("snow", 0, 1, moves=True),
    Factor("season", 0, 1, "summer to autumn", moves=True),
    Factor("mountain", 0, 1, "height"),
    Factor("ridge", 0, 1, "shape"),
)
WATERLINE = -0.32  # in picture points, y in [-1, 1]
FAR, MIDDLE, NEAR = 0, 1, 2
DISTANCES = {FAR: 0.34, MIDDLE: 0.16, NEAR: 0.02}  # haze on a clear day


class Landscape:
    """The scenes of factors (B, 8); x, y are points of the picture, (1, N) or (B, N), heights h above the waterline.

    side: samples a side that the scene is drawn with; two of them resolve its finest detail.
    """

    def __init__(self, factors: torch.Tensor, side: int):
        self.unit = side / 4  # pairs of samples
        columns = (column[:, None] for column in factors.T)
        hour, self.clouds, self.wind, fog, self.snow, self.season, self.mountain, self.ridge = columns
        self.fog = fog.square()  # half the range is a light haze
        angle = (hour - 6) / 24 * TAU  # the sun rises at 6 and is highest at 12
        height = torch.sin(angle)
        self.sun = -0.85 * torch.cos(angle), WATERLINE + 0.1 + 1.05 * height
        self.moon = 0.75 * torch.cos(angle), WATERLINE + 0.1 - 1.0 * height
        self.day = smoothstep(-0.22, 0.30, height)
        self.glow = torch.exp(-(((height - 0.02) / 0.20) ** 2))  # dawn and dusk
        noon, low = rgb(1.0, 0.98, 0.94, like=hour), rgb(1.15, 0.62, 0.34, like=hour)
        lit = mix(noon, low, (self.glow * smoothstep(-0.25, 0.05, height))[None])
        light = mix(rgb(0.10, 0.14, 0.26, like=hour), lit, self.day[None])
        self.light = light * (1 - 0.36 * self.clouds * self.day)[None]

    def blend(self, night, day, dusk, glow: float = 1.0):
        """A colour of the hour, from those of night, day and dusk."""
        like = self.day
        weight = self.day.maximum(0.6 * self.glow)[None]
        return mix(
            rgb(*night, like=like), mix(rgb(*day, like=like), rgb(*dusk, like=like), glow * self.glow[None]), weight
        )

    def sky(self, x, y):
        """The clear sky."""
        up = ((y - WATERLINE) / (1 - WATERLINE)).clamp(0, 1)
        day = mix(rgb(0.72, 0.84, 0.95, like=y), rgb(0.16, 0.38, 0.75, like=y), up[None] ** 0.7)
        night = mix(rgb(0.06, 0.09, 0.19, like=y), rgb(0.010, 0.016, 0.05, like=y), up[None] ** 0.6)
        low, toward = torch.exp(-3 * up), torch.exp(-(((x - self.sun[0]) / 0.9) ** 2))
        warm = (low * (0.3 + 0.7 * toward))[None]
        blush = mix(rgb(0.75, 0.30, 0.36, like=y), rgb(1.15, 0.50, 0.14, like=y), warm)
        weight = self.glow * (0.85 * low + 0.15) * (0.45 + 0.55 * toward)
        return mix(mix(night, day, self.day[None]), blush, weight[None])

    def lights(self, x, y):
        """Sun, moon and stars, to be added to the sky."""
        d = torch.hypot(x - self.sun[0], y - self.sun[1])
        tint = mix(rgb(1.0, 0.95, 0.80, like=y), rgb(1.0, 0.55, 0.20, like=y), self.glow[None])
        disc = 3.0 * smoothstep(0.085, 0.070, d) + 0.55 * torch.exp(-7 * d) + 0.25 * torch.exp(-2.2 * d)
        sun = tint * (disc * (0.25 + self.day))[None]
        x_moon, y_moon = x - self.moon[0], y - self.moon[1]
        d = torch.hypot(x_moon, y_moon)
        seas = mix(0.75, 1.0, noise(28 * x_moon, 28 * y_moon, 91))
        disc = (seas * smoothstep(0.070, 0.058, d) + 0.10 * torch.exp(-6 * d)) * (1 - self.day)
        moon = rgb(0.85, 0.88, 0.95, like=y) * disc[None]
        return sun + moon + rgb(0.99, 1.04, 1.1, like=y) * (self.stars(x, y) * (1 - self.day) ** 3)[None]

    def stars(self, x, y, cells: int = 22):
        """One star at most in every cell of a grid, no smaller than pixels show."""
        u, v = x * cells, y * cells
        left, below = torch.floor(u), torch.floor(v)
        du = u - left - 0.3 - 0.4 * hashed(left, below, 5)
        dv = v - below - 0.3 - 0.4 * hashed(left, below, 6)
        radius = min(0.3, max(0.08, 0.8 * cells / self.unit))
        brightness = (0.08 / radius) ** 0.5
        return brightness * smoothstep(radius, 0.0, torch.hypot(du, dv)) * smoothstep(0.84, 1.0, hashed(left, below, 7))

    def veiled(self, x, y, sky):
        """The sky behind clouds that drift with the wind."""
        near = 0.55 / (y - WATERLINE + 0.35).clamp(min=0.15)
        density = fractal(2.0 * x * near + 1.3 * self.wind, 3.9 * near + 0.2 * self.wind, 31, 5, self.unit / 4)
        edge = 0.66 - 0.42 * self.clouds
        cover = smoothstep(edge, edge + 0.2, density) * smoothstep(0.0, 0.12, self.clouds)
        body = smoothstep(0.4, 1.0, density)
        white = mix(rgb(0.98, 0.98, 1.0, like=y), rgb(0.45, 0.48, 0.54, like=y), (body * self.clouds)[None])
        white = mix(white, rgb(1.1, 0.52, 0.38, like=y), (0.8 * self.glow * (1 - 0.5 * body))[None])
        lit = white * mix(rgb(0.05, 0.07, 0.13, like=y), 1.0, self.day.maximum(0.7 * self.glow)[None])
        return mix(sky, lit, (0.93 * cover)[None])

    def crest(self, x, layer: int):
        """Height of a ridge above the waterline."""
        flat = torch.zeros_like(x)
        if layer == FAR:
            peaks = 1 - 1.6 * (2 * fractal(1.1 * x + self.ridge, flat, 41, 5, self.unit / 1.1) - 1).abs()
            return 0.10 + (0.22 + 0.62 * self.mountain) * peaks.clamp(min=0)
        if layer == MIDDLE:
            return 0.05 + (0.165 + 0.135 * self.mountain) * fractal(
                1.6 * x + 1.7 * self.ridge, flat, 43, 4, self.unit / 1.6
            )
        shore = smoothstep(0.15, 1.1, x.abs()) * (0.5 + fractal(2.2 * x + 0.5 * self.ridge, flat, 47, 2))
        trunk = torch.floor(16 * x)
        tall = 0.05 + 0.10 * hashed(trunk, flat, 53)
        return 0.035 + 0.34 * shore + tall * (1 - 2.1 * (16 * x - trunk - 0.5).abs()).clamp(min=0)

    def relief(self, x, h, layer: int):
        """How much light the faces of a ridge get, those that lean to the sun and those that lean away."""
        if layer == NEAR:
            return torch.ones_like(h)
        scale, skew = (3.0, -0.5) if layer == FAR else (4.5, 0.5)
        left, right = (
            (2 * fractal((x + shift + skew * h) * scale, 1.3 * h * scale, 67 + layer, 4, self.unit / scale) - 1).abs()
            for shift in (-0.02, 0.02)
        )
        lean = (left - right) / 0.04 * torch.tanh(5 * (self.sun[0] - x))
        return (0.85 + 0.30 * lean).clamp(0.35, 1.35)

    def ground(self, h, grain, layer: int):
        """Albedo of a ridge: rock under a snow line, meadows, forest."""
        forest = mix(rgb(0.10, 0.26, 0.07, like=h), rgb(0.52, 0.22, 0.04, like=h), self.season[None])
        meadow = mix(rgb(0.20, 0.38, 0.10, like=h), rgb(0.55, 0.38, 0.12, like=h), self.season[None])
        rock, white = rgb(0.30, 0.28, 0.29, like=h), rgb(0.92, 0.94, 0.98, like=h)
        if layer == FAR:
            line = 0.62 - 0.62 * self.snow + 0.14 * (grain - 0.5)
            bare = mix(meadow, rock, smoothstep(0.12, 0.30, h + 0.2 * (grain - 0.5))[None])
            return mix(bare, white, smoothstep(line - 0.05, line + 0.05, h)[None])
        if layer == MIDDLE:
            bare = mix(forest, meadow, smoothstep(0.45, 0.65, grain)[None])
            return mix(bare, white, smoothstep(0.35, 0.75, self.snow + 0.3 * (grain - 0.5))[None])
        bare = forest * mix(0.45, 1.0, grain)[None]
        return mix(bare, white, 0.8 * smoothstep(0.45, 0.85, self.snow + 0.5 * (grain - 0.5))[None])

    def land(self, x, y, behind):
        """Ridges from far to near before what lies behind, each hazier with distance and fog."""
        h = y - WATERLINE
        haze = self.blend((0.10, 0.13, 0.22), (0.66, 0.77, 0.90), (0.95, 0.58, 0.42))
        for layer, distance in DISTANCES.items():
            grain = fractal(9 * x + 3 * layer, 16 * h, 61 + layer, 3, self.unit / 16)
            lit = self.ground(h, grain, layer) * (self.relief(x, h, layer) * mix(0.75, 1.1, grain))[None] * self.light
            mist = distance + (1 - distance) * self.fog * (0.4 if layer == NEAR else 0.95)
            lit = mix(lit, haze, (mist * mix(1.0, 0.55, (h / 0.8).clamp(0, 1)))[None])
            behind = mix(behind, lit, smoothstep(0.0, 0.010, self.crest(x, layer) - h)[None])
        return behind

    def mist(self):
        return self.blend((0.07, 0.09, 0.15), (0.80, 0.84, 0.88), (0.95, 0.70, 0.55))

    def above(self, x, y):
        """Everything above the waterline, with a bank of fog over the water."""
        scenery = self.land(x, y, self.veiled(x, y, self.sky(x, y) + self.lights(x, y)))
        bank = torch.exp(-(((y - WATERLINE - 0.06) / (0.10 + 0.25 * self.fog)) ** 2))
        patchy = 0.6 + 0.4 * noise(2 * x + self.wind, 5 * y, 71)
        return mix(scenery, self.mist(), (0.9 * self.fog * bank * patchy)[None])

    def picture(self, x, y):
        """The light (3, B, N) of the world above the waterline, and below it of its reflection in the rippled lake."""
        depth = (WATERLINE - y).clamp(min=0)
        wave = noise(6 * x / (0.15 + depth), 2.2 / (0.05 + depth) + self.wind, 83) - 0.5
        ripple = wave * (0.02 + 0.10 * depth)
        wet = y < WATERLINE
        above = self.above(torch.where(wet, x + 0.4 * ripple, x), torch.where(wet, 2 * WATERLINE - y + ripple, y))
        deep = mix(rgb(0.010, 0.02, 0.045, like=y), rgb(0.05, 0.16, 0.22, like=y), self.day[None])
        water = mix(0.82 * above, deep, 0.75 * smoothstep(0.0, 0.75, depth)[None])
        water = mix(water, self.mist(), (0.55 * self.fog * torch.exp(-4 * depth))[None])
        return mix(above, water, smoothstep(0.0, 0.012, depth)[None])


def render(factors: torch.Tensor, resolution: int, samples: int = 2) -> torch.Tensor:
    """Images (B, 3, R, R) in [-1, 1] of factors (B, 8); samples a pixel's side."""
    x, y = pixel_grid(resolution, samples, factors)
    return to_images(Landscape(factors, resolution * samples).picture(x, y), resolution, samples)


def day(motions: Motions, seconds: float) -> dict[str, Motion]:
    """Nine to fourteen hours pass."""
    motions.fix("fog", motions.rng.uniform(0, 0.5))
    return {
        "hour": motions.advance(motions.rng.uniform(9, 14) / seconds, motions.rng.uniform(0, 24)),
        "clouds": motions.wander("clouds", 1.5 * seconds),
        "wind": motions.wander("wind", 3 * seconds),
    }


def weather(motions: Motions, seconds: float) -> dict[str, Motion]:
    """Clouds, fog and wind change while two hours of a day pass."""
    return {
        "hour": motions.advance(2 / seconds, motions.rng.uniform(7, 16)),
        "clouds": motions.wander("clouds", seconds),
        "fog": motions.wander("fog", 1.2 * seconds),
        "wind": motions.wander("wind", 2 * seconds),
    }


def winter(motions: Motions, seconds: float) -> dict[str, Motion]:
    """Summer turns to autumn, and snow comes."""
    motions.fix("hour", motions.rng.uniform(8, 16))
    return {
        "season": motions.change(0.05, 0.95, when=0.35 * seconds, lasting=0.7 * seconds),
        "snow": motions.change(0.05, 0.95, when=0.70 * seconds, lasting=0.6 * seconds),
        "clouds": motions.wander("clouds", seconds),
    }


KINDS = {"day": day, "weather": weather, "winter": winter}

register(
    World(
        "scene",
        "a lake below mountains through days and weather",
        FACTORS,
        render,
        KINDS,
        pictures_per_second=30,
        order=1,
    )
)
