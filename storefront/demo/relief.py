"""Reliefs: the lighting of flat outlines as three-dimensional bodies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from storefront.demo.attributes import Material
from storefront.demo.noise import Field, sampled, smooth_noise


@dataclass(frozen=True)
class Lamp:
    """Unit vector towards the light: x to the right, y down, z towards the viewer.

    ``x`` is in image coordinates, ``object_x`` in those of the product, which may be mirrored.
    """

    x: float
    y: float
    z: float
    object_x: float


@dataclass(frozen=True)
class Patch:
    """The part of the image that a shape covers: object coordinates and coverage, each float32 [h, w]."""

    u: Field
    v: Field
    cover: Field
    pixel: float


@dataclass(frozen=True)
class Lit:
    """Lighting of a patch: surface coordinates (u, v), diffuse brightness (about 1) and specular reflection."""

    u: Field
    v: Field
    diffuse: Field
    specular: Field | float


class Relief(Protocol):
    """A lighting model of a shape."""

    def lit(self, patch: Patch, lamp: Lamp, material: Material) -> Lit:
        """The lighting of the patch."""


@dataclass(frozen=True)
class Flat:
    """A plane, a little darker towards the bottom. ``fall``: how much over 100 units."""

    fall: float = 0.06

    def lit(self, patch: Patch, lamp: Lamp, material: Material) -> Lit:
        """Even light; the specular reflection fades towards the bottom."""
        diffuse = 1 - self.fall * (patch.v / 100) + 0.03 * lamp.object_x * patch.u / 100
        specular = material.gloss * 0.16 * np.clip(0.5 + (lamp.object_x * patch.u - patch.v) / 160, 0, 1)
        return Lit(patch.u, patch.v, diffuse, specular)


@dataclass(frozen=True)
class Soft:
    """A padded or draped body, derived from its outline.

    Attributes:
        width: distance from the edge over which it rises, in object units.
        depth: height, in object units.
        folds: factor on the depth of the folds of cloth.
        shift: offset of the folds.
    """

    width: float = 10.0
    depth: float = 9.0
    folds: float = 1.0
    shift: float = 0.0

    def lit(self, patch: Patch, lamp: Lamp, material: Material) -> Lit:
        """Lambertian light on the blurred outline, plus folds and a broad highlight."""
        reach = max(self.width / patch.pixel, 1.0)
        height = 0.45 * blurred(patch.cover, reach * 0.45) + 0.55 * blurred(patch.cover, reach * 1.3)
        down, across = np.gradient(height)
        slope = self.depth / patch.pixel
        nx, ny = -across * slope, -down * slope
        length = 1 / np.sqrt(nx * nx + ny * ny + 1)
        facing = (nx * lamp.x + ny * lamp.y + lamp.z) * length
        diffuse = 0.34 + 0.66 * np.clip(facing / lamp.z, 0, 1.28)
        drape = material.drape * self.folds
        if drape:
            diffuse = diffuse + drape * _folds(patch, lamp, self.shift)
        specular: Field | float = 0.0
        if material.gloss:
            half_z = lamp.z + 1
            half = 1 / np.sqrt(lamp.x**2 + lamp.y**2 + half_z**2)
            shine = np.clip((nx * lamp.x + ny * lamp.y + half_z) * length * half, 0, 1)
            specular = material.gloss * 0.75 * shine ** (material.polish * 2)
        return Lit(patch.u, patch.v, diffuse, specular)


@dataclass(frozen=True)
class Turned:
    """A solid of revolution.

    Attributes:
        profile: (y, radius) points, which give the surface normals.
        axis: x coordinate of the axis.
        bow: curvature of horizontal rings, as a fraction of the radius.
        wrap: whether the pattern wraps around the body.
    """

    profile: Sequence[tuple[float, float]]
    axis: float = 0.0
    bow: float = 0.16
    wrap: bool = True

    def lit(self, patch: Patch, lamp: Lamp, material: Material) -> Lit:
        """Light around the body, with a soft-box reflection on the lit side and a thin rim reflection."""
        ys, radii = (np.array(side, dtype=np.float32) for side in zip(*self.profile, strict=True))
        middle = float(radii.max())
        level = patch.v - middle * self.bow * 0.6
        radius = np.interp(level, ys, radii).astype(np.float32)
        nx = np.clip((patch.u - self.axis) / np.maximum(radius, 0.5), -1, 1)
        nz = np.sqrt(1 - nx * nx)
        slope = np.interp(level, ys, np.gradient(radii, np.maximum.accumulate(ys + np.arange(len(ys)) * 1e-3)))
        ny = np.clip(slope.astype(np.float32), -1.2, 1.2) * 0.45 * -1
        facing = (nx * lamp.object_x + ny * lamp.y * nz + nz * lamp.z) / lamp.z
        diffuse = 0.40 + 0.60 * np.clip(facing, 0, 1.3) + 0.10 * np.clip(np.abs(nx) - 0.8, 0, 1)
        specular = material.gloss * self._reflections(nx, ny, lamp, material)
        if not self.wrap:
            return Lit(patch.u, patch.v, diffuse, specular)
        return Lit(self.axis + np.arcsin(nx) * middle, patch.v - radius * self.bow * nz, diffuse, specular)

    def _reflections(self, nx: Field, ny: Field, lamp: Lamp, material: Material) -> Field:
        side = 1.0 if lamp.object_x >= 0 else -1.0
        tight = 3 + material.polish * 0.35
        box = np.clip(1 - np.abs((nx - 0.52 * side) * tight) ** 3, 0, 1) * 0.8
        halo = np.exp(-(((nx - 0.45 * side) * 2.6) ** 2)) * 0.22
        rim = np.clip(1 - np.abs((nx + 0.86 * side) * 14) ** 2, 0, 1) * 0.30
        light: Field = (box * np.clip(1 - np.abs(ny) * 0.9, 0.15, 1) + halo + rim).astype(np.float32)
        return light


def blurred(field: Field, radius: float) -> Field:
    """The field, blurred over a radius in samples; edge values are repeated."""
    height, width = field.shape
    factor = max(1, int(radius / 3))
    small = field
    if factor > 1:
        size = (max(1, -(-width // factor)), max(1, -(-height // factor)))
        small = np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BOX))
    reach = max(1, round(radius / factor * 0.6))
    small = _box_blurred(_box_blurred(small, reach), reach)
    small = _box_blurred(_box_blurred(small.T, reach), reach).T
    if factor > 1:
        smooth = np.ascontiguousarray(small)
        small = np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC))
    return small


def _box_blurred(field: Field, reach: int) -> Field:
    """Means of each row and its neighbours; of so few that adding them up is faster than a cumulative sum."""
    count, span = len(field), 2 * reach + 1
    padded = np.concatenate([*[field[:1]] * reach, field, *[field[-1:]] * reach])
    total: Field = padded[:count] + padded[1 : count + 1]
    for start in range(2, span):
        total += padded[start : start + count]
    total *= np.float32(1 / span)
    return total


def _folds(patch: Patch, lamp: Lamp, shift: float) -> Field:
    tile = smooth_noise()
    x, y = patch.u * 2.4 + patch.v * 0.5 + shift * 97, patch.v * 0.85 + shift * 53
    side = 9.0 if lamp.object_x >= 0 else -9.0
    return 0.085 * (sampled(tile, x, y) - sampled(tile, x + side, y - 6.0))
