"""A robot arm in a kitchen: the nine factors of Isaac3D (Nie et al. 2020) in their order, with light and shadow."""

import torch

from dynode.worlds import sphere_tracing
from dynode.worlds.episodes import Motion, Motions
from dynode.worlds.factors import Factor
from dynode.worlds.registry import World, register
from dynode.worlds.shading import fractal, mix, noise, palette, pixel_grid, rgb, smoothstep, to_images
from dynode.worlds.sphere_tracing import at, both, box, capsule, cylinder, dot, length, point, unit

FACTORS = (
    Factor("object_shape", 0, 2, "cube, ball, can", count=3),
    Factor("robot_x", -0.55, 0.55, "m", moves=True, count=8),
    Factor("robot_y", 0.05, 0.50, "m", moves=True, count=5),
    Factor("camera_height", 0.55, 1.30, "m", moves=True, count=4),
    Factor("object_scale", 0.08, 0.13, "m", count=4),
    Factor("lighting_intensity", 0.7, 1.5, count=4),
    Factor("lighting_y_direction", -1.2, 1.2, "rad", count=6),
    Factor("object_color", 0, 3, "red, amber, green, blue", count=4),
    Factor("wall_color", 0, 3, "sand, green, blue, rose", count=4),
)
OBJECT_COLOURS = ((0.75, 0.06, 0.05), (0.85, 0.55, 0.04), (0.07, 0.45, 0.12), (0.06, 0.14, 0.60))
WALL_COLOURS = ((0.72, 0.62, 0.45), (0.36, 0.55, 0.42), (0.32, 0.45, 0.66), (0.66, 0.38, 0.36))
MARCH, SHADOW = 40, 20  # steps along the view ray, and from its end towards the lamp
SHOULDER = (0.0, 0.16, -0.22)  # metres; the counter's top is y = 0, z points to the camera
UPPER, LOWER = 0.50, 0.46  # lengths of the arm


def elbow(shoulder: torch.Tensor, hand: torch.Tensor) -> torch.Tensor:
    """The elbow of the two-link arm, bent upwards in the vertical plane of shoulder and hand."""
    reach = hand - shoulder
    d = length(reach).clamp(max=UPPER + LOWER - 1e-3)
    along = unit(reach)
    lift = unit(at(0, 1, 0, like=reach) - along * along[1])
    a = (d.square() + UPPER**2 - LOWER**2) / (2 * d)
    return shoulder + along * a + lift * (UPPER**2 - a.square()).clamp(min=0).sqrt()


def seam(x: torch.Tensor, period: float) -> torch.Tensor:
    """Distance to the nearest joint of a row of tiles."""
    return (x / period - (x / period).round()).abs() * period


class Kitchen:
    """The scenes of factors (B, 9): distances, materials, light."""

    def __init__(self, factors: torch.Tensor):
        shape, x, y, height, scale, light, turn, colour, wall = factors.T
        self.shape, self.scale, self.brightness = shape[:, None], scale[:, None], light[:, None]
        self.shoulder = point(torch.zeros_like(x), *SHOULDER[1:])
        self.hand = point(x, y + 0.22, 0.12 - 0.25 * x.abs())
        self.elbow = elbow(self.shoulder, self.hand)
        self.palm = self.hand - at(0, 0.09, 0, like=x)
        self.held = self.hand - point(torch.zeros_like(x), 0.13 + 0.5 * scale, 0.0)
        self.eye = point(torch.zeros_like(x), height, 1.75)
        self.light = unit(point(0.55 * torch.sin(turn), 0.95, 0.25 + 0.55 * torch.cos(turn)))
        self.object_colour, self.wall_colour = palette(OBJECT_COLOURS, colour), palette(WALL_COLOURS, wall)

    def object(self, p):
        """A cube that becomes a ball and then a can as its shape goes 0, 1, 2."""
        q, s = p - self.held, self.scale
        cube = both(q.abs() - 0.8 * s) - 0.01
        can = both(torch.stack([length(q[[0, 2]]) - 0.62 * s, q[1].abs() - s])) - 0.01
        rounder = mix(cube, length(q) - s, smoothstep(0.0, 1.0, self.shape))
        return mix(rounder, can, smoothstep(1.0, 2.0, self.shape))

    def arm(self, p):
        """(links and base, joints and gripper)."""
        links = torch.minimum(capsule(p, self.shoulder, self.elbow, 0.062), capsule(p, self.elbow, self.hand, 0.048))
        base = cylinder(p, at(SHOULDER[0], 0.08, SHOULDER[2], like=p), 0.13, 0.10, 0.01)
        joints = torch.minimum(length(p - self.elbow) - 0.078, length(p - self.shoulder) - 0.088)
        return torch.minimum(links, base), torch.minimum(joints, self.gripper(p))

    def gripper(self, p):
        """A palm and two fingers, mirrored in x."""
        q = p - self.palm
        half = 0.8 * self.scale + 0.025
        bar = capsule(q, at(-1, 0, 0, like=p) * half, at(1, 0, 0, like=p) * half, 0.022)
        mirrored = torch.stack([q[0].abs() - half, q[1], q[2]])
        finger = capsule(mirrored, at(0, 0, 0, like=p), at(0, -0.09, 0, like=p), 0.016)
        return torch.minimum(torch.minimum(bar, finger), capsule(p, self.hand, self.palm, 0.04))

    def movable(self, p):
        """Distances (3, B, N) to arm, joints and object."""
        return torch.stack([*self.arm(p), self.object(p)])

    def fixed(self, p):
        """Distances (5, B, N) to counter, cupboards, floor, walls, pot and jar."""
        counter = box(p, at(0, -0.04, 0, like=p), (1.15, 0.04, 0.42), 0.012)
        mirrored = torch.stack([p[0].abs(), p[1], p[2]])
        hanging = box(mirrored, at(0.98, 0.98, -0.62, like=p), (0.36, 0.28, 0.14), 0.01)
        standing = box(p, at(0, -0.55, -0.02, like=p), (1.12, 0.47, 0.36))
        walls = torch.minimum(p[2] + 0.75, 1.35 - p[0].abs())
        pot = torch.minimum(
            cylinder(p, at(-0.86, 0.10, -0.18, like=p), 0.13, 0.10, 0.01),
            capsule(p, at(-1.03, 0.15, -0.18, like=p), at(-0.69, 0.15, -0.18, like=p), 0.016),
        )
        jar = torch.minimum(
            cylinder(p, at(0.84, 0.13, -0.22, like=p), 0.085, 0.13, 0.01),
            length(p - at(0.84, 0.29, -0.22, like=p)) - 0.035,
        )
        things = torch.minimum(pot, jar)
        everywhere = torch.broadcast_tensors(counter, torch.minimum(hanging, standing), p[1] + 1.0, walls, things)
        return torch.stack(everywhere)

    def distance(self, p):
        return torch.minimum(self.movable(p).amin(0), self.fixed(p).amin(0))

    def casting(self, p):
        """Distance to what throws shadows: not walls and floor."""
        return torch.minimum(self.movable(p).amin(0), self.fixed(p)[[0, 1, 4]].amin(0))

    def materials(self, p):
        """Albedo (3, B, N) and gloss (B, N) of points on surfaces."""
        which = torch.cat([self.movable(p), self.fixed(p)]).argmin(0)
        white, dark = rgb(0.80, 0.80, 0.78, like=p), rgb(0.10, 0.11, 0.13, like=p)
        steel = rgb(0.55, 0.56, 0.58, like=p) * mix(0.85, 1.05, noise(p[0] * 3, p[1] * 90))[None]
        colours = (white, dark, self.object_colour, self.stone(p), self.wood(p), self.tiles(p), self.wall(p), steel)
        albedo = torch.zeros_like(p)
        for k, colour in enumerate(colours):
            albedo = torch.where(which == k, colour, albedo)
        return albedo, p.new_tensor([0.5, 0.6, 0.7, 0.35, 0.08, 0.12, 0.05, 0.8])[which]

    def stone(self, p):
        cloudy = mix(0.80, 1.05, fractal(p[0] * 5, p[2] * 5, 3))
        specks = smoothstep(0.78, 0.82, noise(p[0] * 60, p[2] * 60))
        return rgb(0.62, 0.60, 0.57, like=p) * cloudy[None] - 0.10 * specks[None]

    def wood(self, p):
        grain = fractal(p[0] * 3 + 0.3 * fractal(p[0] * 4, p[1] * 1.2, 5), p[1] * 22, 11)
        board = mix(rgb(0.30, 0.16, 0.07, like=p), rgb(0.50, 0.30, 0.15, like=p), grain[None])
        return board * mix(0.35, 1.0, smoothstep(0.008, 0.016, seam(p[0], 0.36)))[None]

    def tiles(self, p):
        flat = smoothstep(0.006, 0.014, torch.minimum(seam(p[0], 0.4), seam(p[2], 0.4)))
        return mix(rgb(0.20, 0.18, 0.17, like=p), rgb(0.55, 0.50, 0.45, like=p), flat[None])

    def wall(self, p):
        """Plaster above a course of bricks, with a window."""
        x, y = p[0], p[1]
        shifted = x + 0.08 * (torch.floor(y / 0.12) % 2)
        flat = smoothstep(0.003, 0.008, torch.minimum(seam(shifted, 0.16), seam(y, 0.12)))
        brick = mix(0.55, 1.0, flat) * mix(0.9, 1.05, noise(torch.floor(shifted / 0.16), torch.floor(y / 0.12)))
        plaster = mix(0.95, 1.02, fractal(x * 12, y * 12, 7))
        return self.window(p, self.wall_colour * torch.where(y < 0.48, brick, plaster)[None])

    def window(self, p, wall):
        """Four panes with sky and a hill, in a white frame."""
        u, v = p[0] / 0.42, (p[1] - 0.93) / 0.36
        out = torch.maximum(u.abs(), v.abs())
        frame = smoothstep(1.04, 1.0, out) * (p[2] < -0.74)
        pane = smoothstep(0.03, 0.06, torch.minimum(u.abs(), v.abs())) * smoothstep(0.95, 0.9, out)
        sky = mix(rgb(0.95, 1.0, 1.05, like=p), rgb(0.35, 0.62, 1.1, like=p), smoothstep(-1.0, 1.0, v)[None])
        hill = smoothstep(0.02, -0.02, v + 0.45 - 0.25 * fractal(u * 2, torch.zeros_like(u), 23))
        view = mix(sky, rgb(0.16, 0.38, 0.12, like=p), hill[None])
        return mix(wall, mix(rgb(0.9, 0.9, 0.88, like=p), 1.3 * view, pane[None]), frame[None])

    def shade(self, p, direction):
        """Light (3, B, N) that leaves points of surfaces towards the eye."""
        albedo, gloss = self.materials(p)
        n = sphere_tracing.normals(self.distance, p)
        facing = dot(n, self.light).clamp(min=0)
        facing = facing * sphere_tracing.shadow(self.casting, p + 5e-3 * n, self.light, SHADOW)
        free = 0.5 * sum(sphere_tracing.openness(self.distance, p, n, reach) for reach in (0.06, 0.18))
        spark = dot(n, unit(self.light - direction)).clamp(min=0) ** 48 * gloss
        lamp = rgb(1.0, 0.93, 0.82, like=p)
        ambient = rgb(0.22, 0.26, 0.32, like=p) * (0.675 + 0.325 * n[1]) * mix(0.35, 1.0, free)
        return self.brightness * (albedo * (ambient + 1.15 * lamp * facing) + 0.8 * lamp * spark * facing)


def render(factors: torch.Tensor, resolution: int, samples: int = 2) -> torch.Tensor:
    """Images (B, 3, R, R) in [-1, 1] of factors (B, 9); samples a pixel's side."""
    kitchen = Kitchen(factors)
    x, y = pixel_grid(resolution, samples, factors)
    target = at(0, 0.36, -0.15, like=factors)
    direction = sphere_tracing.rays(kitchen.eye, target, x, y, zoom=0.40)
    travelled = sphere_tracing.march(kitchen.distance, kitchen.eye, direction, near=0.2, far=6.0, steps=MARCH)
    light = kitchen.shade(kitchen.eye + direction * travelled, direction)
    return to_images(light / (1 + 0.25 * light), resolution, samples)


def robot_x(motions: Motions, seconds: float) -> dict[str, Motion]:
    return {"robot_x": motions.wander("robot_x", seconds)}


def robot_y(motions: Motions, seconds: float) -> dict[str, Motion]:
    return {"robot_y": motions.wander("robot_y", seconds)}


def camera(motions: Motions, seconds: float) -> dict[str, Motion]:
    return {"camera_height": motions.wander("camera_height", seconds)}


def circle(motions: Motions, seconds: float) -> dict[str, Motion]:
    """The hand goes round, two and a half times."""
    x = motions.sway("robot_x", seconds / 2.5)
    return {"robot_x": x, "robot_y": motions.sway("robot_y", seconds / 2.5)}


KINDS = {"robot_x": robot_x, "robot_y": robot_y, "camera": camera, "circle": circle}

register(World("isaac3d", "a robot arm in a kitchen", FACTORS, render, KINDS, pictures_per_second=8, order=3))
