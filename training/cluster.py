"""Train on a Ray cluster: run `fit` on one or several workers and copy the finished run back.

`train-many` trains many models in parallel. With several workers, they share one training (see parallel/). Ludwig's own
Ray backend is not used: in version 0.17.10, it trains one copy of the model per worker on a part of the rows and keeps
one copy without averaging (`scripts/ludwig_on_ray.py` demonstrates it; the cause is `init_dist_strategy("local")` in
`ludwig/backend/ray.py`).
"""

import argparse
import copy
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.console import say
from export.pretrained import is_minilm_copy
from handler.command_line import count_of
from handler.extras import how_to_install
from training.errors import ClusterError, ConfigError, TrainingError

if TYPE_CHECKING:
    import pandas as pd

    from training.config import Config
    from training.fit import Fitted

BACKENDS = ("local", "ray")
PACKAGES = ("training", "export", "handler")
RETRIES = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select where to train to a parser."""
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="local",
        help="where to train; ray: on workers of a Ray cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=count_of("workers, such as 2"),
        default=1,
        metavar="N",
        help="number of processes that share each batch of the training, each with a CPU core or GPU of its own; the "
        "model does not depend on it (default: %(default)s)",
    )
    parser.add_argument(
        "--address",
        default="auto",
        metavar="HOST:PORT",
        help="address of the cluster's head node (default: RAY_ADDRESS, or the local cluster)",
    )
    parser.add_argument(
        "--cpus", type=int, default=1, help="with --backend ray: CPUs to reserve for each worker (default: %(default)s)"
    )
    parser.add_argument(
        "--gpus", type=int, default=0, help="with --backend ray: GPUs to reserve for each worker (default: %(default)s)"
    )


def fit_on(options: argparse.Namespace) -> "Callable[..., Fitted]":
    """Return a function that takes the arguments of `training.fit.fit` and trains on the cluster of the options."""
    return partial(
        fit_on_cluster, address=options.address, workers=options.workers, cpus=options.cpus, gpus=options.gpus
    )


def check_config(config: "Config") -> None:
    """Check that a configuration does not use Ludwig's own Ray backend.

    Raises:
        ConfigError: It does.
    """
    backend = config.get("backend")
    if "ray" in (backend, backend.get("type") if isinstance(backend, dict) else None):
        raise ConfigError(
            "The configuration sets `backend: ray`, with which Ludwig trains a copy of the model in each worker on a "
            "part of the rows, and keeps one of them. Remove it and use --backend ray, which trains the model on all "
            "rows, with --workers N on several workers."
        )


def fit_on_cluster(
    config: "Config",
    dataset: "pd.DataFrame",
    folder: Path,
    *,
    address: str = "auto",
    workers: int = 1,
    cpus: int = 1,
    gpus: int = 0,
    **options: Any,
) -> "Fitted":
    """Train like `training.fit.fit`, on workers of a Ray cluster.

    If one worker trains and is lost, such as a spot instance, Ray restarts the training from the beginning on another
    one. Several workers restart from the last finished epoch.

    Args:
        config: The configuration to train.
        dataset: The rows.
        folder: The run's folder, on this machine.
        address: Address of the cluster's head node.
        workers: Number of workers that share the training.
        cpus: Number of CPUs to reserve for each worker.
        gpus: Number of GPUs to reserve for each worker.
        **options: Further arguments of `fit`.

    Returns:
        The finished run.

    Raises:
        ClusterError: The cluster cannot be reached, or the worker is lost.
        TrainingError: As `fit` raises it.
    """
    from training.fit import Fitted, check_output
    from training.parallel.on_ray import train_on_ray
    from training.workspace import Workspace

    check_output(folder, overwrite=options.get("overwrite", False))
    ray = connected(address)
    try:
        what = "a worker" if workers == 1 else f"{workers} workers"
        say(f"Waiting for {what} with {cpus} CPUs and {gpus} GPUs on a cluster of {described(ray)} ...")
        if workers > 1:
            work = (portable(config), dataset, folder)
            archive = train_on_ray(ray, work, options, workers=workers, resources={"CPU": cpus, "GPU": gpus})
        else:
            task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)(_fit_here)
            archive, error = _result(ray, task.remote(portable(config), dataset, folder.name, options))
            if error:
                raise TrainingError(error)
        _unpack(archive, folder)
        if workers > 1:
            Workspace.of_run(folder).remove()
    finally:
        ray.shutdown()
    return Fitted(folder, json.loads((folder / "training.json").read_text(encoding="utf-8"))["metrics"])


def connected(address: str, *, needed_by: str = "--backend ray") -> Any:
    """Connect to a Ray cluster, and send this code to its workers.

    Args:
        address: Address of the cluster's head node.
        needed_by: The option that needs Ray.

    Returns:
        The module `ray`. Its `shutdown` ends the connection.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        ray: Any = import_module("ray")
    except ModuleNotFoundError:
        raise ClusterError(f"{needed_by} needs Ray, which is not installed: {how_to_install('ray')}.") from None
    modules = [str(Path(__file__).parents[1] / package) for package in PACKAGES]
    try:
        ray.init(address=address, runtime_env={"py_modules": modules}, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"Cannot reach a Ray cluster at {address!r} ({type(error).__name__}). Start one with `ray up "
            "training/ray-cluster.yaml`, or `ray start --head` on this machine, and give its --address."
        ) from None
    return ray


def described(ray: Any) -> str:
    """Return the size of the cluster as readable text."""
    has = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    return f"{nodes} machines with {has.get('CPU', 0):.0f} CPUs and {has.get('GPU', 0):.0f} GPUs"


def _result(ray: Any, reference: Any) -> tuple[bytes, str]:
    try:
        found: tuple[bytes, str] = ray.get(reference)
    except KeyboardInterrupt:
        ray.cancel(reference)
        raise
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"The training on the cluster was lost ({type(error).__name__}): {str(error).strip().splitlines()[-1]}. "
            "Check the cluster with `ray status`, and re-run the command."
        ) from None
    return found


def _fit_here(
    config: Mapping[str, Any], dataset: "pd.DataFrame", name: str, options: Mapping[str, Any]
) -> tuple[bytes, str]:
    """Train on the worker. Returns the run's folder as a tar archive, or an error message."""
    from training.fit import fit

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, name)
        try:
            fit(with_local_minilm(config), dataset, folder, **options)
        except TrainingError as error:
            return b"", str(error)
        return packed(folder), ""


def packed(folder: Path) -> bytes:
    """Return a run as a tar archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder, arcname=".")
    return content.getvalue()


def portable(config: "Config") -> "Config":
    """Return a configuration with the name of MiniLM instead of its local folder, for another machine."""
    from training.config import MINILM

    found = copy.deepcopy(config)
    for feature in found["input_features"]:
        name = _pretrained(feature)
        if isinstance(name, str) and is_minilm_copy(Path(name)):
            feature["encoder"]["pretrained_model_name_or_path"] = MINILM
    return found


def with_local_minilm(config: Mapping[str, Any]) -> "Config":
    """Return a configuration with this machine's folder of MiniLM instead of its name."""
    from training.config import MINILM, with_pretrained

    names = {_pretrained(feature) for feature in config["input_features"]}
    return with_pretrained(dict(config), MINILM) if MINILM in names else dict(config)


def _pretrained(feature: Mapping[str, Any]) -> Any:
    encoder = feature.get("encoder")
    return encoder.get("pretrained_model_name_or_path") if isinstance(encoder, dict) else None


def _unpack(packed: bytes, folder: Path) -> None:
    """Extract a run and move it to its folder in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        run = Path(temporary, folder.name)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(run, filter="data")
        shutil.rmtree(folder, ignore_errors=True)
        run.rename(folder)
