"""Write docs/support.md: what export supports, each with the largest difference seen, and what it refuses."""

import sys
import tempfile
from pathlib import Path

from export.console import say
from export.errors import UnsupportedError
from export.inputs import describe_inputs
from export.outputs import describe_outputs
from tests.export.test_refusals import REFUSALS
from tests.zoo.models import CHOICES, Config
from tests.zoo.pretrained import TRANSFORMERS, transformer_choice
from tests.zoo.proof import FORMATS, train_and_prove

PAGE = Path("docs/support.md")
HEAD = """# What can be exported

Made by `make support`: it trains a tiny model of every choice below with Ludwig 0.17.10, exports it as ONNX and as
TorchScript, and compares the bundles with `LudwigModel.predict` on ordinary and odd rows. All token ids and labels are
equal; the numbers are the largest differences of a probability (of numbers above one, relative). The tests do it again.

Everything else is refused before any work, with the reason; so is a model whose bundle answers differently, whatever
the cause.
"""
TITLES = {
    "tokenizer": "Tokenizers",
    "preprocessing": "Preprocessing of text",
    "encoder": "Encoders of text",
    "transformer": "Pretrained transformers, and tokenizers that come from their files",
    "input": "Other inputs, beside a text",
    "combiner": "Combiners",
    "output": "Outputs",
}
NOTES = """Models of other types than `model_type: ecd` are refused as well: large language models (`llm`) and, of
Ludwig 0.10, gradient-boosted trees (`gbm`).

## Adapters

Encoders that were trained with an adapter (LoRA, IA3 ...) are exported with the adapter in the graph. Ludwig trains and
loads them with `peft`, which it does not install, and the extra `export` does. A bundle never needs it. Tried with peft
0.21.2: LoRA, DoRA, IA3 and AdaLoRA on BERT, LoRA on the encoder `llm`.

## Limits of Ludwig 0.17.10 itself

- `roberta`, `xlmroberta`, `deberta` and `longformer` by name: Ludwig loads a saved model only if the pretrained one has
  the sizes that are its defaults. Use `auto_transformer`, which takes any.
- `auto_transformer` cannot train T5; the encoder `t5` can.
- `mamba2` and `tf_idf`: Ludwig cannot load what it saved, because its schema refuses its own values. Export mends the
  configuration before it loads the model, whose answers are then those that it gave when it was trained.
- An ordinal output (CORN) whose levels are all passed: Ludwig fails, as it looks for a label beyond the last one. The
  bundle answers the last one.
- A vector input with the encoder `passthrough` trains, but Ludwig cannot load what it saved.
- The combiner `tabpfn_v2` needs `tabpfn`, which Ludwig does not install. It is not tried here.
"""


def main() -> int:
    """Train, export and write the page. Returns the exit status."""
    sections = [HEAD]
    for group, title in TITLES.items():
        sections.append(f"## {title}\n\n| choice | ONNX | TorchScript |\n|---|--:|--:|")
        names = TRANSFORMERS if group == "transformer" else tuple(CHOICES[group])
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                parities = train_and_prove(_config(group, name, Path(folder)), Path(folder))
            differences = " | ".join(f"{parities[graph_format].max_abs_diff:.1e}" for graph_format in FORMATS)
            say(f"{group} {name}: {differences}")
            sections.append(f"| {name} | {differences} |")
        sections.append("")
    sections.append("## Refused\n\n| what | the message |\n|---|---|")
    sections += [f"| {what} | {_refusal(what)} |" for what in REFUSALS]
    PAGE.write_text("\n".join([*sections, "", NOTES]), encoding="utf-8")
    return 0


def _config(group: str, name: str, folder: Path) -> Config:
    return transformer_choice(name, folder / "pretrained") if group == "transformer" else CHOICES[group][name]


def _refusal(what: str) -> str:
    model = REFUSALS[what][0]()
    with tempfile.TemporaryDirectory() as folder:
        try:
            describe_outputs(model, describe_inputs(model, Path(folder)))
        except UnsupportedError as error:
            return str(error).replace("|", "\\|")
    raise AssertionError(f"{what} is not refused")


if __name__ == "__main__":
    sys.exit(main())
