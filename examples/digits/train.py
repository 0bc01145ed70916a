"""Trains a classifier on scikit-learn's own digits and tells how good it is.

The data set ships inside the scikit-learn package, so nothing is downloaded
at run time. The model goes to the step's output directory, the accuracy on the
held-out part becomes a value of the run's result.
"""

import argparse
import json
import os
import pathlib
import pickle

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.25, random_state=args.seed, stratify=labels
    )
    print(f"digits: {len(train_x)} to learn from, {len(test_x)} held out", flush=True)

    scaler = StandardScaler().fit(train_x)
    network = MLPClassifier(hidden_layer_sizes=(64,), random_state=args.seed)
    for epoch in range(1, args.epochs + 1):
        network.partial_fit(scaler.transform(train_x), train_y, classes=range(10))
        print(f"epoch {epoch}/{args.epochs} loss {network.loss_:.4f}", flush=True)

    model = make_pipeline(scaler, network)
    accuracy = model.score(test_x, test_y)
    print(f"accuracy on the held-out part: {accuracy:.4f}", flush=True)

    output = os.environ.get("STEPHOST_OUTPUT_DIR")
    if output:
        path = pathlib.Path(output, "model.pkl")
        path.write_bytes(pickle.dumps(model))
        print(f"model: {path.stat().st_size} bytes", flush=True)
    print(f"::stephost value accuracy={json.dumps(round(accuracy, 4))}", flush=True)


if __name__ == "__main__":
    main()
