"""The rows that the zoo's models are trained on."""

import random

import pandas as pd

ROWS = 96
WORDS = (
    *("book", "a", "flight", "to", "Rome", "cancel", "my", "hotel", "in", "New", "York", "please", "thanks"),
    *("réserver", "un", "vol", "مرحبا", "كيف", "الحال", "hello"),
)
TAGS = {"Rome": "B-city", "New": "B-city", "York": "I-city"}
TOPICS = {"flight", "hotel", "hello"}
LABELS = ("book", "cancel", 'say "hi"', "a, b", "two words", "nan", "🎉", "é")
COLORS = ("red", "green", "blue", "dark red")


def dataset() -> pd.DataFrame:
    """Return rows with a column of every type; the labels depend on the text."""
    generator = random.Random(7)
    rows = []
    for number in range(ROWS):
        words = [generator.choice(WORDS) for _ in range(generator.randint(2, 9))]
        label = LABELS[number % len(LABELS)]
        rows.append(
            {
                "text": " ".join(words),
                "second_text": " ".join(reversed(words)),
                "commas": ", ".join(words),
                "under_scores": "_".join(words),
                "number": round(generator.uniform(0.5, 90.0), 3),
                "binary": "yes" if number % 3 else "no",
                "color": COLORS[number % len(COLORS)],
                "tags": " ".join(sorted(set(words[:4]))),
                "vector": " ".join(f"{generator.uniform(-1, 1):.3f}" for _ in range(4)),
                "date": f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d} {number % 24:02d}:15:30",
                "intent": label,
                "slots": " ".join(
                    "B-city" if word in {"Rome", "New"} else "I-city" if word == "York" else "O" for word in words
                ),
                "score": round(len(words) * 10 + generator.random(), 3),
                "urgent": "true" if "cancel" in words else "false",
                "topics": " ".join(
                    sorted({word for word in words if word in {"flight", "hotel", "hello"}}) or ["none"]
                ),
                "place": " ".join(f"{generator.random():.3f}" for _ in range(3)),
                "grade": str(number % 4),
                "shares": "0.2 0.5 0.3" if number % 2 else "0.6 0.1 0.3",
            }
        )
    return pd.DataFrame(rows)
