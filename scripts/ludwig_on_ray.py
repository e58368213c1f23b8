"""Test whether two workers of Ludwig's own Ray backend train one model together; with Ludwig 0.17.10 they do not.

Run it for new versions of Ludwig or Ray; it takes a few minutes, in the environment of requirements/ray.txt:
    .venvs/ray/bin/python -m scripts.ludwig_on_ray
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
CONFIG = {
    "input_features": [{"name": "text", "type": "text", "encoder": {"type": "embed"}}],
    "output_features": [{"name": "intent", "type": "category"}],
    "preprocessing": {"split": {"type": "fixed", "column": "split"}},
    "trainer": {"epochs": 1, "batch_size": 64, "eval_batch_size": 64},
}
BACKEND = {
    "type": "ray",
    "trainer": {"use_gpu": False, "num_workers": WORKERS, "resources_per_worker": {"CPU": 1, "GPU": 0}},
}


def main():
    """Print each worker's final state; return 0 if all have the same weights, else 1."""
    import ray
    from ludwig.api import LudwigModel

    ray.init(num_cpus=WORKERS + 1, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        model = LudwigModel(CONFIG, backend=BACKEND, callbacks=[spy(folder)])
        model.train(dataset=rows(), output_directory=folder, skip_save_processed_input=True, skip_save_log=True)
        found = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("worker-*.json"))]
    for line in found:
        print(json.dumps(line))
    together = len({line["weights"] for line in found}) == 1
    print("All workers trained one model." if together else "Each worker trained a separate model.")
    return 0 if together else 1


def rows():
    """Return a sample of the demo data, with splits."""
    import pandas as pd

    found = pd.read_csv(ROOT / "examples" / "demo" / "dataset.csv", dtype=str, keep_default_na=False)
    found = found[["text", "intent"]].sample(400, random_state=0).reset_index(drop=True)
    return found.assign(split=[0] * 300 + [1] * 50 + [2] * 50)


def spy(folder):
    """Return a callback that records a digest of each worker's weights after each epoch."""
    from ludwig.callbacks import Callback

    class Spy(Callback):
        def on_epoch_end(self, trainer, progress_tracker, save_path):
            import ray.train

            state = trainer.model.state_dict()
            content = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in state.values())
            context = ray.train.get_context()
            found = {
                "worker": context.get_world_rank(),
                "workers": context.get_world_size(),
                "strategy": type(trainer.distributed).__name__,
                "steps": progress_tracker.steps,
                "weights": hashlib.sha256(content).hexdigest()[:12],
            }
            Path(folder, f"worker-{context.get_world_rank()}.json").write_text(json.dumps(found))

    return Spy()


if __name__ == "__main__":
    sys.exit(main())
