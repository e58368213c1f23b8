"""Write docs/support.md: what export supports, with the largest difference measured, and what it rejects."""

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

`make support` writes this page. For every choice below, it trains a tiny model with Ludwig 0.17.10, exports it as
ONNX and as TorchScript, and compares the bundles with `LudwigModel.predict` on ordinary rows and edge cases. All
token ids and labels are equal; the numbers are the largest differences of a probability (for numbers above one,
relative). The tests repeat this.

`export` rejects everything else at once, with the reason. It also rejects every model whose bundle answers
differently.
"""
TITLES = {
    "tokenizer": "Tokenizers",
    "preprocessing": "Preprocessing of text",
    "encoder": "Encoders of text",
    "transformer": "Pretrained transformers, and tokenizers loaded from their files",
    "input": "Other inputs, in addition to a text",
    "combiner": "Combiners",
    "output": "Outputs",
}
NOTES = """`export` also rejects models of other types than `model_type: ecd`: large language models (`llm`) and, from
Ludwig 0.10, gradient-boosted trees (`gbm`).

## Adapters

If an encoder was trained with an adapter (LoRA, IA3, ...), the graph includes the adapter. Ludwig trains and loads
adapters with `peft`, which Ludwig does not install, but the extra `export` does. Bundles do not need it. Tested with
peft 0.21.2: LoRA, DoRA, IA3 and AdaLoRA on BERT, and LoRA on the encoder `llm`.

## Limitations of Ludwig 0.17.10

- `roberta`, `xlmroberta`, `deberta` and `longformer` by name: Ludwig can load a saved model only if the pretrained
  model has the encoder's default sizes. Use `auto_transformer`, which supports all sizes.
- `auto_transformer` cannot train T5; the encoder `t5` can.
- `mamba2` and `tf_idf`: Ludwig cannot load the models that it saved, because its schema rejects its own values.
  `export` fixes the configuration before it loads the model, which then gives the same answers as right after
  training.
- Ordinal outputs (CORN): if a row passes all levels, Ludwig fails, because it looks up a label after the last one.
  The bundle answers the last label.
- A vector input with the encoder `passthrough` can be trained, but Ludwig cannot load the saved model.
- The combiner `tabpfn_v2` needs `tabpfn`, which Ludwig does not install. It is not tested.
"""


def main() -> int:
    """Train, export, write the page, and return the exit status."""
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
    sections.append("## Not supported\n\n| choice | message |\n|---|---|")
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
    raise AssertionError(f"{what} is not rejected")


if __name__ == "__main__":
    sys.exit(main())
