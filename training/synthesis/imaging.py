"""The microscope and its operator: from a specimen's maps to grey levels.

SE yield follows the surface slope (1/cos, capped), the side that faces the detector, and how
freely electrons leave (recesses dark, protrusions bright). BSE follows the mean atomic number:
eta(Z) = -0.0254 + 0.016 Z - 1.86e-4 Z^2 + 8.3e-7 Z^3 (Reuter's fit). The operator then sets
brightness and contrast. Shot noise goes with the square root of the signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from training.synthesis.canvas import Canvas, Mask, Painted
from training.synthesis.fields import Field, blur, shrink, stretch

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Look:
    """How this instrument stands: gains, the detector's side, the probe's blur in pixels."""

    tilt_gain: float
    side: float
    side_gain: float
    recess_gain: float
    edge_gain: float
    probe: float


def draw_look(rng: Rng) -> Look:
    return Look(
        tilt_gain=rng.uniform(0.25, 0.8),
        side=rng.uniform(0, 2 * np.pi),
        side_gain=rng.uniform(0.08, 0.4),
        recess_gain=rng.uniform(0.25, 0.7),
        edge_gain=0.0,
        probe=rng.uniform(0.35, 1.0),
    )


def backscatter_yield(z: Field | float) -> Field | float:
    return -0.0254 + 0.016 * z - 1.86e-4 * z**2 + 8.3e-7 * z**3


def signal_of(canvas: Canvas, look: Look) -> Field:
    """The detector's signal, 1 on flat matrix."""
    height = canvas.height
    slope_x, slope_y = np.empty_like(height), np.empty_like(height)
    slope_x[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * 0.5
    slope_x[:, 0], slope_x[:, -1] = slope_x[:, 1], slope_x[:, -2]
    slope_y[1:-1] = (height[2:] - height[:-2]) * 0.5
    slope_y[0], slope_y[-1] = slope_y[1], slope_y[-2]
    steep = np.minimum(np.sqrt(1 + slope_x**2 + slope_y**2), 3.2)
    facing = (np.cos(look.side) * slope_x + np.sin(look.side) * slope_y) / steep
    low = shrink(height, 4)
    around = stretch(blur(low, 1.6), height.shape)
    recess = np.clip((around - height) / 8, -0.6, 1.6)
    if canvas.backscattered:
        signal = backscatter_yield(canvas.z) / backscatter_yield(canvas.matrix_z)
        signal *= 1 - 0.35 * look.side_gain * facing
        signal *= 1 - 0.35 * look.recess_gain * np.clip(recess, 0, None)
        signal *= 1 - canvas.void
        signal *= 1 + 0.25 * (np.clip(canvas.tone, 0.2, 1.2) - 1)
    else:
        signal = 1 + look.tilt_gain * (steep - 1)
        if look.edge_gain:
            signal += look.edge_gain * np.clip(steep - 1.15, 0, 1.5)
        signal *= 1 - look.side_gain * facing
        signal *= 1 - look.recess_gain * np.where(recess > 0, recess / 1.6, 0.7 * recess)
        signal *= canvas.tone * (1 - canvas.void)
    return blur(np.asarray(signal, np.float32), look.probe)


def shade(signal: Field, rng: Rng) -> Field:
    """The uneven illumination of a real field: a slow gradient."""
    if rng.random() < 0.6:
        grid = rng.standard_normal((4, 4), np.float32)
        signal = signal * (1 + rng.uniform(0.01, 0.06) * stretch(grid, signal.shape))
    return signal


def set_contrast(signal: Field, rng: Rng, least_span: float) -> Field:
    """Brightness, contrast and gamma as an operator sets them: grey levels of 0 to 255, float.

    `least_span` is the smallest range of signal that is still stretched over the grey scale, so
    that an empty field stays an even grey.
    """
    sample = signal[::4, ::4]
    low, high = (float(v) for v in np.quantile(sample, (0.01, 0.99)))
    dark, bright = rng.uniform(12, 90), rng.uniform(150, 242)
    span = high - low
    if span < least_span:
        middle = rng.uniform(0.25, 0.75)
        low, high = low - middle * (least_span - span), high + (1 - middle) * (least_span - span)
    grey = (signal - low) / (high - low)
    gamma = float(np.exp(rng.normal(0, 0.12)))
    if abs(gamma - 1) > 0.05:
        grey = np.where(grey > 0, np.abs(grey) ** gamma, grey)
    return np.asarray(dark + grey * (bright - dark), np.float32)


def contrast_of(painted: Painted, grey: Field, local: Field) -> float:
    """How far a feature stands out, in grey levels: its mean against the rest, or its texture
    beyond the background's, whichever is more. `local` is the grey levels' local mean."""
    rough = grey - local
    if painted.mask is None:
        return float(rough.std()) * 1.5
    inside = painted.mask
    area = int(inside.sum())
    if area < 80:  # cut off by the frame, or lost in it
        return 0.0
    if area == inside.size:
        return float(rough.std()) * 1.5
    outside = ~inside
    gap = abs(float(grey[inside].mean()) - float(grey[outside].mean()))
    own, other = float(np.square(rough[inside]).mean()), float(np.square(rough[outside]).mean())
    seen = max(gap, float(np.sqrt(max(own - other, 0.0))))
    # What covers little needs more contrast to be seen.
    return seen * (0.6 if area < 0.02 * inside.size else 1.0)


def add_noise(grey: Field, rng: Rng, sigma: float, soften: float) -> Field:
    """Shot noise of `sigma` grey levels at mid grey, correlated a little by the detector."""
    noise = rng.standard_normal(grey.shape, np.float32)
    if soften > 0.2:
        noise = blur(noise, soften)
        noise /= max(float(noise[::4, ::4].std()), 1e-3)
    level = np.sqrt(np.clip(grey, 8, None) / 128)
    lines = rng.standard_normal((grey.shape[0], 1)).astype(np.float32) * sigma * 0.08
    return np.asarray(grey + noise * level * np.float32(sigma) + lines, np.float32)


#: What `likeness` finds in the 30 real micrographs of LABELS.csv (five of them taken with ions;
#: measured 2026-11-28): the 10th, 25th, 50th, 75th and 90th percentile over the images, in grey
#: levels of 8 bits. `along` is corrected by the 0.05 that the high-pass of `likeness` takes from
#: white noise. Numbers alone; no pixel of them is used.
REAL: Mapping[str, tuple[float, float, float, float, float]] = {
    "dark": (2.7, 15, 28, 62, 104),  # the 1st percentile of an image's grey levels
    "bright": (163, 190, 210, 225, 248),  # the 99th
    "along": (0.04, 0.06, 0.08, 0.32, 0.47),  # correlation of noise with the next pixel of a row
    "lines": (0.0, 0.0, 0.19, 0.75, 1.03),  # jump from row to row beyond the noise
}
#: Noise in grey levels, by name: averaged frames, one slow scan, one quick scan or a live image.
#: Real images fall into two heaps (1 to 5 and 15 to 28); few lie between.
NOISES: Mapping[str, tuple[float, float]] = {
    "quiet": (1.0, 4.0),
    "middle": (3.0, 10.0),
    "loud": (13.0, 30.0),
}
NOISE_ODDS: Mapping[str, float] = {"quiet": 0.36, "middle": 0.32, "loud": 0.32}


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise of `sigma` grey levels at mid grey; `shot` is the share of its variance that goes with
    the signal, `along` its correlation with the next pixel of the row (the detector's bandwidth:
    there is none from row to row), `lines` the jump of whole rows."""

    name: str
    sigma: float
    shot: float
    along: float
    lines: float


def draw_from(name: str, rng: Rng) -> float:
    """A value that is spread as `REAL` says."""
    values = REAL[name]
    ends = (2 * values[0] - values[1], *values, 2 * values[4] - values[3])
    return float(np.interp(rng.random(), (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), ends))


def draw_noise(rng: Rng, name: str) -> Noise:
    low, high = np.log(NOISES[name])
    return Noise(
        name,
        float(np.exp(rng.uniform(low, high))),
        float(rng.uniform(0, 1)),
        float(np.clip(draw_from("along", rng), 0, 0.49)),
        0.5 * max(draw_from("lines", rng), 0.0),  # the rest of the jumps is structure
    )


def set_real_contrast(signal: Field, rng: Rng, least_span: float) -> Field:
    """As `set_contrast`, with the dark and the bright end as real operators leave them."""
    low, high = (float(v) for v in np.quantile(signal[::4, ::4], (0.01, 0.99)))
    dark, bright = max(draw_from("dark", rng), 0.0), min(draw_from("bright", rng), 255.0)
    if bright - dark < 60:
        dark = bright - 60
    span = high - low
    if span < least_span:
        middle = rng.uniform(0.25, 0.75)
        low, high = low - middle * (least_span - span), high + (1 - middle) * (least_span - span)
    grey = (signal - low) / (high - low)
    gamma = float(np.exp(rng.normal(0, 0.15)))
    grey = np.where(grey > 0, np.abs(grey) ** gamma, grey)
    grey = dark + grey * (bright - dark)
    # A detector saturates softly: hardly a pixel of the real images is clipped.
    high, low = np.clip(grey - 225, 0, None), np.clip(18 - grey, 0, None)
    grey = grey - high + 26 * np.tanh(high / 26) + low - 16 * np.tanh(low / 16)
    return np.asarray(grey, np.float32)


def add_real_noise(grey: Field, rng: Rng, noise: Noise) -> Field:
    white = rng.standard_normal(grey.shape, np.float32)
    if noise.along > 0.02:  # x[i] + a x[i-1] has the correlation a / (1 + a^2)
        a = (1 - np.sqrt(1 - 4 * noise.along**2)) / (2 * noise.along)
        white[:, 1:] += np.float32(a) * white[:, :-1]
        white /= np.float32(np.sqrt(1 + a * a))
    level = np.sqrt((1 - noise.shot) + noise.shot * np.clip(grey, 4, None) / 128)
    rows = rng.standard_normal((grey.shape[0], 1)).astype(np.float32) * noise.lines / np.sqrt(2)
    return np.asarray(grey + white * level.astype(np.float32) * np.float32(noise.sigma) + rows)


def standing_out(mask: Mask, grey: Field) -> float:
    """How far a feature stands out from what is beside it, in grey levels: its mean against a rim
    of its surroundings, or its texture against theirs, whichever is more. `grey` is without noise.

    Unlike `contrast_of` this holds on any ground: a crack at the border of a dark layer does not
    stand out because the layer does.
    """
    inside = mask
    area = int(inside.sum())
    if area < 60:
        return 0.0
    width = 3 if area < 0.02 * inside.size else 8
    near = ndimage.uniform_filter(inside.astype(np.float32), 2 * width + 1) > 1e-4
    rim = near & ~(ndimage.uniform_filter(inside.astype(np.float32), 3) > 1e-4)
    if int(rim.sum()) < 40:
        return float(grey.std()) * 1.5
    soft = blur(grey, 1.0)
    within, beside = soft[inside], soft[rim]
    gap = abs(float(within.mean()) - float(beside.mean()))
    # A gap is seen against the unrest beside it, and so is another texture.
    unrest = float(beside.std())
    own = float(within.std())
    texture = own - unrest if own > 1.4 * unrest else 0.0
    return max(gap - 0.9 * unrest, texture)


def texture_of(grey: Field, bodies: Mask) -> float:
    """How far a texture that fills the field stands out of its own mean, in grey levels, where no
    other feature is near: bright dust on a black field is no texture of it. 0 where there is no
    room left."""
    free = ndimage.uniform_filter(bodies.astype(np.float32), 51) < 1e-5
    if float(free.mean()) < 0.05:
        return 0.0
    rough = blur(grey, 1.0) - blur(grey, 12)
    return float(rough[free].std()) * 1.5
