"""Draw durations from the measured distributions, scaled to the processor share of a Lambda function."""

import msgspec
import numpy as np

from handler.errors import SettingsError
from ludwig_serverless.cost.measured import Figure, Measured
from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.fleet import Draws
from ludwig_serverless.simulation.settings import Settings

FULL_CORE_MEGABYTES = 1769
"""Lambda gives a function one full processor core at this size, and less in proportion below."""


def slowdown(memory_megabytes: int) -> float:
    """Return how many times longer computing takes than with a full core, on which the durations were measured.

    More than one core does not make a single answer faster, because a bundle's graphs run with one thread.
    """
    return max(1.0, FULL_CORE_MEGABYTES / memory_megabytes)


def fitted(
    measured: Measured, memory_megabytes: int, answer: float | None = None, start: float | None = None
) -> Measured:
    """Return the measured durations as they are for another function, and the answers per second of `serve` with it.

    Args:
        measured: The measured durations, with a full core.
        memory_megabytes: The function's memory.
        answer: The median of its warm answers in milliseconds, if it is known: with its memory and its models.
        start: The same for its cold starts with the first answer.
    """
    slower = slowdown(memory_megabytes)
    warm, cold = measured.warm_answer_milliseconds, measured.cold_start_milliseconds
    served = measured.serve_answers_per_second
    if answer is not None:
        served = _scaled(served, warm.value / answer)
    return msgspec.structs.replace(
        measured,
        serve_answers_per_second=served,
        warm_answer_milliseconds=_scaled(warm, slower if answer is None else answer / warm.value),
        cold_start_milliseconds=_scaled(cold, slower if start is None else start / cold.value),
    )


def _scaled(figure: Figure, factor: float) -> Figure:
    quantiles = tuple((share, value * factor) for share, value in figure.quantiles)
    return msgspec.structs.replace(figure, value=figure.value * factor, quantiles=quantiles)


def draw_durations(figure: Figure, count: int, random: np.random.Generator) -> Times:
    """Draw from a measured distribution, in seconds.

    The quantiles are connected by straight lines, and nothing is drawn outside the measured range. A figure without
    quantiles is a constant.

    Args:
        figure: A duration in milliseconds.
        count: How many to draw.
        random: The generator.

    Raises:
        SettingsError: The quantiles are not ascending.
    """
    if not figure.quantiles:
        return np.full(count, figure.value / 1000)
    shares, values = (np.array(column, dtype=float) for column in zip(*figure.quantiles, strict=True))
    if np.any(np.diff(shares) <= 0) or np.any(np.diff(values) < 0):
        raise SettingsError(f"The quantiles of `{figure.by}` are not ascending: run it again, or remove them.")
    drawn: Times = np.interp(random.random(count), shares, values) / 1000
    return drawn


def draw(
    count: int,
    settings: Settings,
    measured: Measured,
    random: np.random.Generator,
    start_overhead: float = 0.0,
) -> Draws:
    """Draw the random quantities of requests.

    Args:
        count: How many requests.
        settings: The limits, for the mean times of idle environments.
        measured: The durations, from `fitted`.
        random: The generator.
        start_overhead: What AWS adds to each cold start, in seconds.
    """
    low, high = 1 - settings.spread, 1 + settings.spread
    return Draws(
        draw_durations(measured.warm_answer_milliseconds, count, random),
        draw_durations(measured.cold_start_milliseconds, count, random) + start_overhead,
        settings.idle_seconds * random.uniform(low, high, count),
        settings.lifetime_seconds * random.uniform(low, high, count),
    )
