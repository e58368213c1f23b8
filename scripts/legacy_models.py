"""Train small models with Ludwig 0.10.4 and record its answers: the fixtures of tests/legacy.

The script creates the environment of Ludwig 0.10.4 (Python 3.10, `requirements/ludwig-0.10.txt`) and runs itself in it.
Therefore it uses only Python 3.10 syntax and imports nothing from this package.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from environment import ROOT, make_environment  # scripts is not a package where Ludwig 0.10.4 runs

ENVIRONMENT = "ludwig-0.10"
FIXTURES = ROOT / "tests" / "legacy" / "fixtures"
DATASET = ROOT / "examples" / "demo" / "dataset.csv"
PRETRAINED = "fixtures/tiny-bert"
"""The model's name on the Hugging Face Hub; the fixture's folder has the part after the slash."""
TRAINING_ROWS, ORDINARY_ROWS = 400, 20
EPOCHS = 12
WORD_PIECES = 400
RECORDED = ("_predictions", "_probabilities")
DIGITS = 7

ODD_TEXTS = [
    "",
    "   ",
    "\t \t",
    "book",
    "nan",
    "<PAD> <UNK> <SOS> <EOS> [CLS] [SEP] [PAD] [UNK]",
    "  book  a   flight  to Tunis ",
    "book a\tflight\nto Rome\r\ntomorrow",
    "book\u00a0a flight \u00a0 to\u2003Rome",
    "b\u200book a fl\ufeffight",
    "bo\0ok a \0 flight",
    "BOOK A FLIGHT, Istanbul İSTANBUL straße",
    "réserver un vol pour Alger, s'il vous plaît !",
    "re\u0301server un ho\u0302tel",
    "أريد حجز رحلة إلى تونس غدا",
    "مَرْحَبًا بِكُمْ",
    "你好，今天天气怎么样？",
    "🎉 👩‍👩‍👧‍👦 👍🏽 flight",
    'what?! (really) - it\'s "quoted", a_b #1 @you 50% $5',
    "qwxzv flurbish zzyzx",
    "a" * 300,
    " ".join("flight" if number % 7 else f"word{number}" for number in range(300)),
]


def sequence_input(encoder, **preprocessing):
    """Return the configuration of a text as an input of type sequence."""
    return {"name": "text", "type": "sequence", "encoder": encoder, "preprocessing": preprocessing}


INTENT = {"name": "intent", "type": "category"}
SLOTS = {
    "name": "slots",
    "type": "sequence",
    "decoder": {"type": "tagger"},
    "preprocessing": {"tokenizer": "space"},
}
LSTM = {"type": "rnn", "cell_type": "lstm", "bidirectional": True, "embedding_size": 8, "state_size": 8}
CONFIGS = {
    # A smaller version of hexabot-ludwig-nlu's; `ngram_size` changes the vocabulary, but not the encoding.
    "intent-lstm-ngram": {
        "input_features": [
            sequence_input(
                {**LSTM, "num_layers": 2, "dropout": 0.2, "reduce_output": "max"},
                tokenizer="ngram",
                ngram_size=3,
                most_common=800,
            )
        ],
        "output_features": [{**INTENT, "reduce_input": "sum", "decoder": {"dropout": 0.2}}],
    },
    "language-cnn-ngram": {
        "input_features": [
            {
                "name": "text",
                "type": "text",
                "encoder": {
                    "type": "parallel_cnn",
                    "embedding_size": 8,
                    "num_filters": 8,
                    "num_fc_layers": 1,
                    "output_size": 16,
                },
                "preprocessing": {"tokenizer": "ngram", "lowercase": True, "most_common": 400},
            }
        ],
        "output_features": [{"name": "language", "type": "category"}],
    },
    "slots-lstm": {
        "input_features": [sequence_input({**LSTM, "reduce_output": None}, tokenizer="space")],
        "output_features": [SLOTS],
    },
    "intent-slots-gru": {
        "input_features": [
            sequence_input(
                {**LSTM, "cell_type": "gru", "reduce_output": None}, tokenizer="space", padding="left", lowercase=True
            )
        ],
        "output_features": [INTENT, SLOTS],
    },
    "mixed-punct": {
        "input_features": [
            {
                "name": "text",
                "type": "text",
                "encoder": {"type": "rnn", "cell_type": "gru", "embedding_size": 8, "state_size": 8},
                "preprocessing": {"tokenizer": "space_punct", "max_sequence_length": 24},
            },
            {"name": "letters", "type": "number", "preprocessing": {"normalization": "zscore"}},
            {"name": "question", "type": "binary"},
            {"name": "language", "type": "category"},
            {"name": "tags", "type": "set"},
        ],
        "output_features": [INTENT, {"name": "long", "type": "binary"}, {"name": "words", "type": "number"}],
    },
    "intent-bert": {
        "input_features": [
            {
                "name": "text",
                "type": "text",
                "encoder": {"type": "auto_transformer", "pretrained_model_name_or_path": PRETRAINED, "trainable": True},
                "preprocessing": {"max_sequence_length": 48},
            }
        ],
        "output_features": [INTENT],
    },
}


def main():
    """Create the environment and, in it, the fixtures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CONFIGS)} (default: all)")
    names = parser.parse_args().names or list(CONFIGS)
    if unknown := set(names) - set(CONFIGS):
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    interpreter = make_environment(ENVIRONMENT, "default")
    if Path(sys.prefix).resolve() != interpreter.parent.parent.resolve():
        return subprocess.run([str(interpreter), __file__, *names]).returncode
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", HF_HUB_CACHE=cache)
        for name in names:
            make_fixture(name, CONFIGS[name])
    for name in names:
        size = sum(path.stat().st_size for path in (FIXTURES / name).rglob("*") if path.is_file())
        print(f"{name}: {size // 1000} KB")
    return 0


def make_fixture(name, config):
    """Train one model, and write its folder and its answers."""
    import pandas
    from ludwig.api import LudwigModel

    rows = read_rows()
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if "pretrained_model_name_or_path" in config["input_features"][0]["encoder"]:
        write_pretrained(folder / Path(PRETRAINED).name, [row["text"] for row in rows])
        put_into_cache(folder / Path(PRETRAINED).name)
    model = LudwigModel(
        {**config, "trainer": {"epochs": EPOCHS, "batch_size": 32, "learning_rate": 0.01, "early_stop": -1}},
        backend="local",
        logging_level=40,
    )
    columns = [feature["name"] for feature in config["input_features"]]
    targets = [feature["name"] for feature in config["output_features"]]
    with tempfile.TemporaryDirectory() as runs:
        model.train(
            dataset=pandas.DataFrame(rows[:TRAINING_ROWS])[columns + targets],
            output_directory=runs,
            skip_save_processed_input=True,
            skip_save_model=True,
            skip_save_progress=True,
            skip_save_log=True,
        )
    model.save(str(folder / "model"))
    asked = [{column: row[column] for column in columns} for row in [*rows[-ORDINARY_ROWS:], *odd_rows(columns)]]
    answers, _ = model.predict(pandas.DataFrame(asked, dtype=object), skip_save_predictions=True)
    with (folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        for values, answer in zip(asked, answers.to_dict("records"), strict=True):
            recorded = {column: plain(value) for column, value in answer.items() if column.endswith(RECORDED)}
            file.write(json.dumps({"values": values, "answer": recorded}, ensure_ascii=False) + "\n")


def read_rows():
    """Return the demo's rows in random order, with the extra columns that the model with several inputs reads."""
    with DATASET.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    return [{**row, **derived(row["text"])} for row in rows]


def derived(text):
    """Return the columns derived from a text."""
    words = text.split()
    return {
        "letters": float(len(text)),
        "question": "?" in text,
        "tags": " ".join(sorted({"digit" if word.isdigit() else word[0].lower() for word in words})),
        "long": len(words) > 7,
        "words": float(len(words)),
    }


def odd_rows(columns):
    """Return rows that people send and training data lacks, a missing text among them."""
    rows = [{"text": text, "language": "en", **derived(text)} for text in [*ODD_TEXTS, "hello"]]
    rows[-1]["text"] = None
    rows[-2]["language"] = "flurbish"
    return [row for row in rows if set(columns) <= set(row)]


def write_pretrained(folder, texts):
    """Write a tiny BERT with random weights and a vocabulary of these texts, in Hugging Face's format."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    letters = sorted({letter for text in texts for letter in text.lower() if not letter.isspace()})
    counts = {}
    for text in texts:
        for word in text.lower().split():
            counts[word] = counts.get(word, 0) + 1
    words = sorted(counts, key=lambda word: (-counts[word], word))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *letters, *("##" + letter for letter in letters), *words]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces[:WORD_PIECES])) + "\n", encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(str(folder))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORD_PIECES, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(str(folder))


def put_into_cache(folder):
    """Copy a model into Hugging Face's cache under its Hub name: Ludwig 0.10 reads BERT vocabularies from the Hub."""
    cached = Path(os.environ["HF_HUB_CACHE"]) / ("models--" + PRETRAINED.replace("/", "--"))
    revision = "0" * 40
    shutil.copytree(folder, cached / "snapshots" / revision)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(revision)


def plain(value):
    """Return an answer as JSON types, with rounded numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return round(value, DIGITS) if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
