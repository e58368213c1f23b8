"""A worker of `fit --workers`: `python -m training.parallel.worker TASK`, with torch.distributed's variables set."""

import json
import os
import pickle
import signal
import sys
import threading
from pathlib import Path

from training.errors import TrainingError, WorkerError
from training.fit import fit
from training.parallel.team import Team, team_of_environment

INTERRUPTED = 130


def main(task: Path) -> int:
    """Train as one of the workers, and return the exit status.

    Args:
        task: A pickle that `processes.py` wrote. An error is written next to it, to a file with the worker's number.
    """
    team = team_of_environment() or Team(0, 1)
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    arguments, options = pickle.loads(task.read_bytes())  # noqa: S301 (processes.py wrote it)
    try:
        with team.heard():
            fit(*arguments, **options, team=team)
    except KeyboardInterrupt:
        return INTERRUPTED
    except TrainingError as error:
        error_file(task, team.rank).write_text(json.dumps([isinstance(error, WorkerError), str(error)]))
        return 1
    return 0


def error_file(task: Path, rank: int) -> Path:
    """Return the file for the error of a worker."""
    return task.with_name(f"error-{rank}")


def _end_with_launcher() -> None:
    """Interrupt the training when the launcher ends, however it ends: that closes the other end of standard input."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
