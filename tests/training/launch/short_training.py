"""Replaces `python3 -m training fit` and `python3 -m export`: it writes and prints like them, and trains nothing.

It uses only the standard library, because it starts hundreds of times.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

TOLD = json.loads((Path(os.environ["MACHINE"]).parent / "told.json").read_text())


def option(name: str) -> Path:
    return Path(sys.argv[sys.argv.index(name) + 1])


def fit() -> None:
    run = option("--output")
    assert option("--config").read_text()
    assert option("--dataset").read_bytes()
    workspace = run.with_name(f".{run.name}-training")
    kept = sorted(int(path.name.removeprefix("checkpoint-")) for path in workspace.glob("checkpoint-*"))
    if kept:
        print(f"Resuming from epoch {kept[-1]}")
    for epoch in range((kept or [0])[-1] + 1, TOLD.get("epochs", 2) + 1):
        time.sleep(TOLD.get("seconds", 0.05))
        checkpoint = workspace / f"checkpoint-{epoch}"
        checkpoint.mkdir(parents=True)
        (workspace / "started.json").write_text("{}")
        (checkpoint / "weights").write_text(f"weights of epoch {epoch}")
        (checkpoint / "whole.json").write_text("{}")
        for old in workspace.glob("checkpoint-*"):
            if old != checkpoint:
                shutil.rmtree(old)
        print(f"  epoch {epoch}/{TOLD.get('epochs', 2)}", flush=True)
    if TOLD.get("fit_fails"):
        print("error: The dataset has no column 'intent'.")
        raise SystemExit(1)
    shutil.rmtree(workspace, ignore_errors=True)
    (run / "model").mkdir(parents=True)
    (run / "evaluation").mkdir()
    (run / "model" / "model_weights.safetensors").write_bytes(b"weights" * 1000)
    (run / "evaluation" / "report.html").write_text("<p>A report.</p>")
    (run / "training.json").write_text("{}")


def export() -> None:
    if TOLD.get("export_fails"):
        print("error: This encoder cannot be exported.")
        raise SystemExit(1)
    time.sleep(TOLD.get("export_seconds", 0))
    bundle = Path(sys.argv[4])
    assert (Path(sys.argv[3]) / "training.json").is_file()
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")


if sys.argv[2:4] == ["training", "fit"]:
    fit()
else:
    assert sys.argv[1:3] == ["-m", "export"]
    export()
