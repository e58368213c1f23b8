"""Compare the simulator of Lambda's scaling with real environments: emulators behind a dispatcher.

The dispatcher allows a few messages at a time and starts an environment for a message if none is idle. Environments end
after a short idle time, so that cold starts happen. Messages arrive as a Poisson process. The handler waits before each
answer, for exponentially distributed times, so that messages overlap at rates that this machine can send.

The simulator gets the durations of warm and of cold answers from the same run. Twice it is compared: with the very
messages, where it must come to the same decision for each, and with new Poisson arrivals, where it must predict the
shares and waits within their statistical error.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.dispatcher import Dispatcher, Message, durations, emulator_path
from benchmarks.report import ROOT, parser, publish, say, table
from ludwig_serverless.simulation.buckets import Times
from ludwig_serverless.simulation.fleet import COLD, CONCURRENCY, Draws, serve
from ludwig_serverless.simulation.settings import Settings

Array = npt.NDArray[Any]
PART = "scaling"
RATES = (1.0, 5.0, 15.0)
"""Messages per second."""
PAUSE_SECONDS = 0.2
"""Mean duration of the handler's pause."""
IDLE_SECONDS = 1.0
FOREVER = 1e12
REPEATS = 400
"""Simulated runs per rate, for the prediction and its standard deviation."""
FIGURES = ("cold starts", "throttled", "wait p50", "wait p90")


class Run(NamedTuple):
    """Messages that real environments answered or refused.

    Attributes:
        rate: Messages per second that were asked for.
        messages: The messages.
    """

    rate: float
    messages: list[Message]

    @property
    def times(self) -> Times:
        """When each message came, in seconds."""
        return np.array([message.at for message in self.messages])

    @property
    def kinds(self) -> Array:
        """What happened to each message."""
        return np.array([message.kind for message in self.messages], dtype=np.uint8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the section, and return the exit status."""
    options = parser(
        PART,
        __doc__,
        environments=(3, "messages that may be in progress"),
        seconds=(90, "duration per rate"),
        seed=(1, "seed of the arrivals and pauses"),
    ).parse_args(arguments)
    random = np.random.default_rng(options.seed)
    settings = limited(options.environments)
    runs = []
    for rate in RATES:
        say(f"{rate:g} messages a second for {options.seconds} seconds ...")
        runs.append(measure(rate, options.seconds, settings, random))
    publish(options, PART, tables(runs, settings, random))
    return 0 if all(same_decisions(run, settings) == 1 for run in runs) else 1


def limited(environments: int) -> Settings:
    """Return the dispatcher's limits as settings of the simulator."""
    return Settings(reserved=environments, idle_seconds=IDLE_SECONDS, lifetime_seconds=FOREVER, spread=0.0)


def measure(rate: float, seconds: float, settings: Settings, random: np.random.Generator) -> Run:
    """Send Poisson arrivals to real environments.

    Args:
        rate: Messages per second.
        seconds: For how long.
        settings: The limits.
        random: The generator of arrivals and pauses.
    """
    times = np.sort(random.uniform(0, seconds, random.poisson(rate * seconds)))
    pauses = random.exponential(PAUSE_SECONDS, len(times))
    bundles: Path = ROOT / "examples" / "bundles"
    dispatcher = Dispatcher(emulator_path(), bundles, settings.reserved or 1, settings.idle_seconds)
    return Run(rate, dispatcher.replay(times, pauses))


def same_decisions(run: Run, settings: Settings) -> float:
    """Return the share of the messages for which the simulator comes to the dispatcher's decision.

    It gets the messages' own times and durations. The durations of refused messages do not matter, unless it decides
    differently.
    """
    taken = durations(run.messages)
    served = serve(run.times, _draws(taken, taken, settings), settings)
    return float((served.kinds == run.kinds).mean())


def figures(kinds: Array, waits: Times) -> list[float]:
    """Return the shares of cold starts and of throttled messages, and two percentiles of the waits in milliseconds."""
    answered = waits[kinds != CONCURRENCY]
    p50, p90 = np.percentile(answered, (50, 90)) * 1000 if len(answered) else (np.nan, np.nan)
    return [float(np.mean(kinds == COLD)), float(np.mean(kinds == CONCURRENCY)), float(p50), float(p90)]


def predicted(run: Run, settings: Settings, random: np.random.Generator, repeats: int = REPEATS) -> Array:
    """Simulate runs like a measured one, with new arrivals and with durations drawn from its own.

    Args:
        run: The measured run, for its rate, its duration, and its durations of warm and of cold answers.
        settings: The limits.
        random: The generator.
        repeats: Number of runs.

    Returns:
        The figures of each run, of shape (repeats, number of figures).
    """
    taken, kinds, seconds = durations(run.messages), run.kinds, float(run.times[-1])
    warm, cold = taken[(kinds != COLD) & (kinds != CONCURRENCY)], taken[kinds == COLD]
    found = []
    for _ in range(repeats):
        times = np.sort(random.uniform(0, seconds, random.poisson(run.rate * seconds)))
        draws = _draws(random.choice(warm, len(times)), random.choice(cold, len(times)), settings)
        served = serve(times, draws, settings)
        found.append(figures(served.kinds, np.where(served.kinds == COLD, draws.starts, draws.answers)))
    return np.array(found)


def _draws(answers: Times, starts: Times, settings: Settings) -> Draws:
    """Return durations with the dispatcher's constant idle time."""
    return Draws(answers, starts, np.full(len(answers), settings.idle_seconds), np.full(len(answers), FOREVER))


def tables(runs: Sequence[Run], settings: Settings, random: np.random.Generator) -> list[str]:
    """Return the lines of the section."""
    rows = []
    for run in runs:
        measured = figures(run.kinds, durations(run.messages))
        made = predicted(run, settings, random)
        means, errors = made.mean(axis=0), made.std(axis=0, ddof=1)
        for name, value, mean, error in zip(FIGURES, measured, means, errors, strict=True):
            percent = "wait" not in name
            shown = [f"{each * 100:.1f} %" if percent else f"{each:.0f} ms" for each in (value, mean, error)]
            apart = abs(value - mean) / error if error else 0.0
            label = f"{run.rate:g} per second: {name}"
            rows.append([label, shown[0], f"{shown[1]} ± {shown[2]}", f"{apart:.1f}"])
    same = sum(same_decisions(run, settings) * len(run.messages) for run in runs)
    total = sum(len(run.messages) for run in runs)
    return [
        f"{settings.reserved} environments, kept idle for {settings.idle_seconds:g} s; the handler pauses for "
        f"{PAUSE_SECONDS * 1000:.0f} ms in the mean. Predicted: mean ± standard deviation of {REPEATS} runs.",
        "",
        *table(["", "measured", "predicted", "standard deviations apart"], rows),
        "",
        "With the messages' own times and durations, the simulator comes to the dispatcher's decision for "
        f"{same:.0f} of {total} messages.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
