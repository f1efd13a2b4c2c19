"""Sphere tracing (Hart 1996): rays walk by the distance to the nearest surface until they reach it.

Points, directions and colours are (3, B, N): coordinates, batch, points.  Distances and fractions are (B, N).
"""

import torch

from dynode.worlds.shading import smoothstep


def length(v: torch.Tensor) -> torch.Tensor:
    return v.square().sum(0).clamp(min=1e-12).sqrt()


def unit(v: torch.Tensor) -> torch.Tensor:
    return v / length(v)


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(0)


def at(*xyz: float, like: torch.Tensor) -> torch.Tensor:
    """A fixed point as (3, 1, 1) of the same kind as `like`."""
    return like.new_tensor(xyz)[:, None, None]


def point(*xyz) -> torch.Tensor:
    """A point (3, B, 1) of each scene, of numbers and (B,) tensors."""
    like = next(c for c in xyz if torch.is_tensor(c))
    return torch.stack([c if torch.is_tensor(c) else torch.full_like(like, c) for c in xyz])[:, :, None]


def both(d: torch.Tensor) -> torch.Tensor:
    """Distance to where several slabs meet, from the distances (k, B, N) to each."""
    return length(d.clamp(min=0)) + d.amax(0).clamp(max=0)


def box(p, centre, half, rounding: float = 0.0):
    """half: the three half sides, a (3, 1, 1) tensor or numbers."""
    half = half if torch.is_tensor(half) else at(*half, like=p)
    return both((p - centre).abs() - half + rounding) - rounding


def cylinder(p, centre, radius, half, rounding: float = 0.0):
    """An upright cylinder."""
    q = p - centre
    return both(torch.stack([length(q[[0, 2]]) - radius, q[1].abs() - half]) + rounding) - rounding


def capsule(p, a, b, radius):
    """A rod with round ends from a to b."""
    along, offset = b - a, p - a
    return length(offset - along * (dot(offset, along) / dot(along, along)).clamp(0, 1)) - radius


def ellipsoid(p, centre, radii):
    """Exact on the surface, a bound elsewhere (after Quilez)."""
    q = p - centre
    k = length(q / radii)
    return k * (k - 1) / length(q / radii.square())


def smooth_min(a, b, k: float):
    """The smaller of two distances, rounded over `k` where they are equal."""
    weight = (0.5 + 0.5 * (b - a) / k).clamp(0, 1)
    return b + (a - b) * weight - k * weight * (1 - weight)


def normals(distance, p: torch.Tensor, step: float = 1e-3) -> torch.Tensor:
    """Unit normals of the surfaces at points on them, from four distances each."""
    total = torch.zeros_like(p)
    for signs in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        direction = at(*signs, like=p)
        total = total + direction * distance(p + step * direction)
    return unit(total)


def march(distance, eye, direction, near: float, far: float, steps: int) -> torch.Tensor:
    """How far (B, N) each ray goes; at least `far` where it hits nothing.

    Points whose rays stand still in all pictures, at a surface or at the end, are left out of further steps.
    """
    travelled = torch.full_like(direction[0], near)
    moving, walked = torch.arange(direction.shape[2], device=direction.device), travelled.clone()
    for _ in range(steps):
        further = (walked + distance(eye + direction * walked)).clamp(max=far)
        travelled[:, moving] = further
        still = (further == walked).all(0)
        walked = further
        if 4 * still.sum() > len(still):  # leaving out costs a copy
            moving, walked, direction = moving[~still], further[:, ~still], direction[:, :, ~still]
        if not len(moving):
            break
    return travelled


def shadow(distance, p, light, steps: int, softness: float = 10.0) -> torch.Tensor:
    """How much (B, N) of a lamp in direction `light` the points see (penumbra after Quilez)."""
    lit, travelled = torch.ones_like(p[0]), torch.full_like(p[0], 0.02)
    for _ in range(steps):
        d = distance(p + light * travelled)
        lit = torch.minimum(lit, softness * d / travelled)
        travelled = travelled + d.clamp(0.02, 0.14)
    return smoothstep(0.0, 1.0, lit)


def openness(distance, p, normal, reach: float) -> torch.Tensor:
    """How open (B, N) the surroundings are, 0 in a corner: the distance after a step along the normal."""
    return (distance(p + reach * normal) / reach).clamp(0, 1)


def rays(eye, target, x, y, zoom: float) -> torch.Tensor:
    """Directions (3, B, N) through picture points x, y in [-1, 1]; zoom: tangent of half the angle of view."""
    forward = unit(target - eye)
    right = unit(torch.linalg.cross(forward, at(0.0, 1.0, 0.0, like=eye).expand_as(forward), dim=0))
    up = torch.linalg.cross(right, forward, dim=0)
    return unit(forward + zoom * (x * right + y * up))
