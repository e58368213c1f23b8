"""The training's commands; `handler.command_line` says what each field is."""

from handler.command_line import Command

TRAIN, PUBLISH = "Train", "Publish"
COMMANDS = {
    "import": Command(
        "make a dataset from Hexabot's or Rasa's data, or from tables",
        TRAIN,
        "training.imports.command:add",
        "training",
    ),
    "train": Command(
        "make proven bundles of training data, in one command",
        TRAIN,
        "training.train_command:add",
        "training",
    ),
    "fit": Command("train a model on a dataset", TRAIN, "training.fit_command:add", "training"),
    "evaluate": Command(
        "measure a trained model on labelled rows", TRAIN, "training.evaluation.command:add_evaluate", "training"
    ),
    "predict": Command("ask a trained model new rows", TRAIN, "training.evaluation.command:add_predict", "training"),
    "report": Command(
        "draw the report of a finished run again", TRAIN, "training.evaluation.command:add_report", "training"
    ),
    "launch": Command("train on a rented GPU, on AWS", TRAIN, "training.launch.command:add", "training"),
    "publish": Command(
        "put a model and its bundle on the Hugging Face Hub or into S3",
        PUBLISH,
        "training.publishing.command:add_publish",
        "training",
    ),
    "fetch": Command(
        "bring a published model and its bundle back", PUBLISH, "training.publishing.command:add_fetch", "training"
    ),
}
