"""Calculate what metrics cost in CloudWatch: the metrics, the bytes of their lines, and the hourly check for drift.

The models are those of Hexabot: one of intents, one of languages, and one of slots, which is no category. CloudWatch
bills a metric only for the hours in which it gets data, so a bot with few messages pays less.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from handler.drift import BINS, MOST_GROUPS
from training.aws_prices import RegionPrices

if TYPE_CHECKING:
    from ludwig_serverless.cost.bill import Traffic

MODELS, CATEGORIES, LANGUAGES = 3, 2, 3
LOG_BYTES = {"off": 0, "on": 800, "drift": 1150}
"""Bytes of the lines with metrics of a message. A test compares them with the handler's."""
KINDS = 2
"""What drift is measured of for each category: its labels and its confidences."""
HOURS = 365.25 * 2
"""Hours of a month, and so the number of checks."""


def metrics_items(traffic: "Traffic", prices: RegionPrices) -> dict[str, float]:
    """Return what metrics cost in a month, in dollars, by item.

    Args:
        traffic: The load, which metrics are on, and the number of intents.
        prices: List prices of a region.

    Returns:
        {} if metrics are off.
    """
    if traffic.metrics == "off":
        return {}
    stored = LOG_BYTES[traffic.metrics] * traffic.messages / 1e9 * (prices.logs_gb + prices.logs_storage_gb_month)
    items = {
        "metrics": sum(_share_of_hours(traffic, share) for share in _shares(traffic)) * prices.metric_month,
        "lines of metrics": stored,
    }
    if traffic.metrics == "drift":
        read = len(list(_counted(traffic)))
        published = CATEGORIES * KINDS + 1
        requests = HOURS * (read + 1) / 1000 * prices.metric_requests_thousand
        items["check for drift"] = published * prices.metric_month + requests + prices.alarm_month
    return items


def number_of_metrics(traffic: "Traffic") -> int:
    """Return how many metrics there are, those of the check for drift included."""
    published = CATEGORIES * KINDS + 1 if traffic.metrics == "drift" else 0
    return len(list(_shares(traffic))) + published


def _shares(traffic: "Traffic") -> Iterator[float]:
    """Yield the share of the messages that each metric of the function counts.

    Each model has a metric of its time, and each category two more: its confidence, and whether it is below the
    threshold. Failures and fallbacks have metrics only in hours with failures.
    """
    yield from [1.0] * (MODELS + 2 * CATEGORIES)
    if traffic.metrics == "drift":
        yield from _counted(traffic)


def _counted(traffic: "Traffic") -> Iterator[float]:
    """Yield the share of the messages of each group of labels and of each bin of the confidence."""
    for groups in (min(traffic.intents, MOST_GROUPS), LANGUAGES, *[BINS] * CATEGORIES):
        yield from [1 / groups] * groups


def _share_of_hours(traffic: "Traffic", share: float) -> float:
    """Return the share of the hours with at least one of a share of the messages, which arrive as a Poisson process."""
    return sum(1 - math.exp(-rate * share) for rate in traffic.hourly()) / 24
