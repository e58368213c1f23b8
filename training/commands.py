"""Training's entries in the command table; see `handler.command_line.Command` for the fields."""

from handler.command_line import Command

TRAIN, PUBLISH = "Train", "Publish"
COMMANDS = {
    "import": Command(
        "convert training data from Hexabot, Rasa and others to a dataset",
        TRAIN,
        "training.imports.command:add",
        "training",
    ),
    "train": Command(
        "turn training data into proven bundles with one command",
        TRAIN,
        "training.train_command:add",
        "training",
    ),
    "train-many": Command(
        "turn the data of many bots into bundles, from one manifest",
        TRAIN,
        "training.many.command:add",
        "training",
    ),
    "fit": Command("train a model on a dataset", TRAIN, "training.fit_command:add", "training"),
    "evaluate": Command(
        "measure a trained model on labeled rows", TRAIN, "training.evaluation.command:add_evaluate", "training"
    ),
    "predict": Command(
        "answer new rows with a trained model", TRAIN, "training.evaluation.command:add_predict", "training"
    ),
    "report": Command(
        "redraw the report of a finished run", TRAIN, "training.evaluation.command:add_report", "training"
    ),
    "review": Command(
        "turn captured messages into training data, and correct a dataset",
        TRAIN,
        "training.review.command:add",
        "training",
    ),
    "distill": Command(
        "train a light model on a strong model's answers", TRAIN, "training.distill_command:add", "training"
    ),
    "launch": Command("train on a rented GPU instance on AWS", TRAIN, "training.launch.command:add", "training"),
    "publish": Command(
        "upload a model and its bundle to the Hugging Face Hub or S3",
        PUBLISH,
        "training.publishing.command:add_publish",
        "training",
    ),
    "fetch": Command(
        "download a published model and its bundle", PUBLISH, "training.publishing.command:add_fetch", "training"
    ),
}
