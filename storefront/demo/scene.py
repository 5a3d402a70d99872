"""Renders the photo of a drawing: shadows, lighting of each layer, and camera effects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from storefront.demo.backdrops import Backdrop, backdrop_pixels
from storefront.demo.noise import Field
from storefront.demo.outlines import Outline
from storefront.demo.relief import Flat, Lamp, Patch, Relief, blurred
from storefront.demo.surfaces import Surface, planes_of

_SUPERSAMPLING = 4  # of outlines only; colour and light are smooth enough at the size of the image


@dataclass(frozen=True)
class Layer:
    """One part of a product, painted over the previous parts.

    Attributes:
        outlines: closed curves, filled.
        surface: colour, pattern and material.
        relief: shape of the surface, for the lighting.
        holes: outlines that are cut out.
        inside: outlines to which the layer is clipped.
        tone: factor on the brightness.
        opacity: 0 to 1.
        lift: distance to the layers below, in object units; controls the size of the shadow.
    """

    outlines: tuple[Outline, ...]
    surface: Surface
    relief: Relief = field(default_factory=Flat)
    holes: tuple[Outline, ...] = ()
    inside: tuple[Outline, ...] = ()
    tone: float = 1.0
    opacity: float = 1.0
    lift: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """The layers of a product, which stands on a floor or (`standing` False) lies on a plane seen from above."""

    layers: Sequence[Layer]
    standing: bool = True


@dataclass(frozen=True)
class Camera:
    """Projection and exposure; `matrix` [3, 3] maps object units to fractions of the image's side."""

    matrix: NDArray[np.float64]
    lamp: Lamp
    unit: float  # object units per side of the image
    exposure: float = 1.0
    warmth: float = 0.0
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class _Cut:
    """Coverage of a layer, and the rows and columns of the image that it applies to."""

    rows: slice
    columns: slice
    cover: Field


def photograph(drawing: Drawing, camera: Camera, backdrop: Backdrop, size: int) -> Image.Image:
    """RGB image of a drawing, ``size`` pixels per side."""
    cuts = [_cut(layer, camera, size) for layer in drawing.layers]
    whole = np.zeros((size, size), dtype=np.float32)
    for layer, cut in zip(drawing.layers, cuts, strict=True):
        region = whole[cut.rows, cut.columns]
        np.maximum(region, cut.cover * layer.opacity, out=region)
    foot = int(np.flatnonzero(whole.max(axis=1) > 0.5)[-1])
    pixels = backdrop_pixels(backdrop, size, foot / size if drawing.standing else None)
    rows, shadow = _floor_shadow(whole, foot, camera.lamp) if drawing.standing else _drop_shadow(whole, camera.lamp)
    pixels[:, rows] *= 1 - shadow * planes_of((0.98, 1.0, 1.0))

    u, v = _object_coordinates(camera, size)
    pixel = camera.unit / size
    painted = np.zeros_like(whole)
    for layer, cut in zip(drawing.layers, cuts, strict=True):
        if cut.cover.size == 0:
            continue
        at = (cut.rows, cut.columns)
        if layer.lift:
            _shade_beneath(pixels, painted, layer, cut, camera.lamp, pixel)
        patch = Patch(u[at], v[at], cut.cover, pixel)
        lit = layer.relief.lit(patch, camera.lamp, layer.surface.material)
        # In place, as all that follows: new arrays of this size take as long as what is calculated.
        rgb = layer.surface.paint(lit.u, lit.v, pixel)
        rgb *= lit.diffuse * layer.tone
        if layer.surface.material.gloss:
            rgb += lit.specular * (1.02 - rgb)
        alpha = cut.cover * layer.opacity
        beneath = pixels[:, *at]
        rgb -= beneath
        rgb *= alpha
        beneath += rgb
        np.maximum(painted[at], alpha, out=painted[at])
    return _expose(pixels, camera)


def _cut(layer: Layer, camera: Camera, size: int) -> _Cut:
    outlines = [_projected(outline, camera, size) for outline in layer.outlines]
    corners = np.concatenate(outlines)
    margin = 2
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, size)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin, 0, size)
    rows, columns = slice(int(top), int(bottom)), slice(int(left), int(right))
    if right <= left or bottom <= top:
        return _Cut(rows, columns, np.zeros((max(0, bottom - top), max(0, right - left)), dtype=np.float32))
    window = (int(left), int(top), int(right - left), int(bottom - top))
    holes = [_projected(hole, camera, size) for hole in layer.holes]
    cover = _filled(outlines, holes, window)
    if layer.inside:
        cover = cover * _filled([_projected(outline, camera, size) for outline in layer.inside], [], window)
    return _Cut(rows, columns, cover)


def _filled(outlines: Sequence[Outline], holes: Sequence[Outline], window: tuple[int, int, int, int]) -> Field:
    left, top, width, height = window
    mask = Image.new("L", (width * _SUPERSAMPLING, height * _SUPERSAMPLING))
    draw = ImageDraw.Draw(mask)
    for shapes, ink in ((outlines, 255), (holes, 0)):
        for shape in shapes:
            draw.polygon(((shape - (left, top)) * _SUPERSAMPLING).ravel().tolist(), fill=ink)
    return np.asarray(mask.reduce(_SUPERSAMPLING), dtype=np.float32) / 255


def _projected(outline: Outline, camera: Camera, size: int) -> Outline:
    x, y, w = camera.matrix @ np.stack([outline[:, 0], outline[:, 1], np.ones(len(outline))])
    return np.stack([x / w, y / w], axis=1) * size


def _object_coordinates(camera: Camera, size: int) -> tuple[Field, Field]:
    back = np.linalg.inv(camera.matrix).astype(np.float32)
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = at[None, :], at[:, None]
    w = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    return (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / w, (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / w


def _floor_shadow(whole: Field, foot: int, lamp: Lamp) -> tuple[slice, Field]:
    """The shadow on the floor, with a dark contact shadow, and the rows that it lies on."""
    size = whole.shape[0]
    ground = foot + 0.5
    lean = -lamp.x / lamp.z * 1.1
    flatten = 0.16
    # The shadow is less high than this, and what is blurred beyond fades out.
    reach = math.ceil(0.2 * size)
    rows = slice(max(0, foot - reach), min(size, foot + reach))
    ground -= rows.start
    above, height = whole[rows], rows.stop - rows.start
    # Each row of the floor samples the row of the product at its height, shifted away from the lamp.
    coefficients = (1.0, lean / flatten, -lean / flatten * ground, 0.0, 1 / flatten, foot + 0.5 - ground / flatten)
    laid = Image.fromarray(whole).transform(
        (size, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    cast = blurred(np.asarray(laid, dtype=np.float32), size * 0.022)
    away = (np.arange(height, dtype=np.float32) - ground)[:, None] / size
    # The silhouette shifted down a little, so that the contact shadow follows round bases and legs.
    near = blurred(_shifted(above, 0, size * 0.008), size * 0.009) * np.exp(-((away / 0.05) ** 2))
    wide = blurred(_shifted(above, -lamp.x * size * 0.03, size * 0.014), size * 0.035) * np.exp(-((away / 0.06) ** 2))
    shadow: Field = np.clip(0.24 * cast + 0.50 * near + 0.30 * wide, 0, 0.8)
    return rows, shadow


def _drop_shadow(whole: Field, lamp: Lamp) -> tuple[slice, Field]:
    """The shadow of a product that lies on the plane, and the rows of the image that it lies on."""
    size = whole.shape[0]
    total = np.zeros_like(whole)
    for reach, strength in ((0.012, 0.34), (0.05, 0.22)):
        shift = (-lamp.x * size * reach * 1.1, -lamp.y * size * reach * 1.1)
        total += strength * blurred(_shifted(whole, *shift), size * reach)
    return slice(0, size), total


def _shade_beneath(pixels: Field, painted: Field, layer: Layer, cut: _Cut, lamp: Lamp, pixel: float) -> None:
    reach = max(layer.lift / pixel, 1.0)
    margin = int(reach * 2.5) + 1
    rows = slice(max(0, cut.rows.start - margin), min(painted.shape[0], cut.rows.stop + margin))
    columns = slice(max(0, cut.columns.start - margin), min(painted.shape[1], cut.columns.stop + margin))
    dark = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.float32)
    top, left = cut.rows.start - rows.start, cut.columns.start - columns.start
    dark[top : top + cut.cover.shape[0], left : left + cut.cover.shape[1]] = cut.cover
    dark = blurred(_shifted(dark, -lamp.x * reach, -lamp.y * reach), reach)
    pixels[:, rows, columns] *= 1 - 0.48 * layer.opacity * dark * painted[rows, columns]


def _shifted(values: Field, right: float, down: float) -> Field:
    """The values, moved by a fraction of samples; 0 where nothing comes from."""
    return _moved(_moved(values, down).T, right).T


def _moved(values: Field, down: float) -> Field:
    count = len(values)
    # Sample `at` of the result lies between `first + at` and the next one, and half a sample beyond the edge is the edge.
    first = math.floor(-down)
    share = np.float32(-down - first)
    padded = np.concatenate([values[:1], values, values[-1:]])
    moved = np.zeros_like(values)
    begin, end = (int(np.clip(math.ceil(edge), 0, count)) for edge in (down - 0.5, down + count - 0.5))
    near = padded[first + 1 + begin : first + 1 + end]
    moved[begin:end] = near + share * (padded[first + 2 + begin : first + 2 + end] - near)
    return moved


def _expose(pixels: Field, camera: Camera) -> Image.Image:
    """Exposure, white balance and sensor noise, as a camera adds them."""
    gain = camera.exposure * planes_of((1 + camera.warmth, 1.0, 1 - camera.warmth))
    pixels *= gain
    if camera.noise:
        grain = np.random.default_rng(camera.seed).standard_normal(pixels.shape[1:], dtype=np.float32)
        grain *= camera.noise
        pixels += grain
    np.clip(pixels, 0, 1, out=pixels)
    pixels *= 255
    pixels += 0.5
    values = pixels.astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(plane) for plane in values])
