"""Counts words and joins them with their authors, on Spark and without it.

It writes a table of words and one of authors as Parquet, has Spark count the words
and join the tables, computes the same again with nothing but Python, and ends with
code 1 if the two differ. On a cluster --data must be a directory that the executors
see, too.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

AUTHORS = 1_000
COUNTRIES = ["AT", "BR", "CA", "DE", "EG", "FR", "GH", "IN", "JP", "ZA"]
PARTS = 4


def generate(data: pathlib.Path, rows: int, seed: int) -> None:
    """Writes the tables. Some words are frequent, most are rare, as in a language."""
    rng = random.Random(seed)
    vocabulary = [f"word{n}" for n in range(5_000)]
    weights = [1 / (n + 1) for n in range(len(vocabulary))]
    (data / "words").mkdir(parents=True, exist_ok=True)
    for part in range(PARTS):
        n = rows // PARTS + (rows % PARTS if part == 0 else 0)
        table = pa.table(
            {
                "word": rng.choices(vocabulary, weights, k=n),
                "author": pa.array(rng.choices(range(AUTHORS + 10), k=n), pa.int32()),  # some are unknown
            }
        )
        pq.write_table(table, data / "words" / f"{part}.parquet")
    authors = {"author": pa.array(range(AUTHORS), pa.int32()), "country": [COUNTRIES[n % len(COUNTRIES)] for n in range(AUTHORS)]}
    pq.write_table(pa.table(authors), data / "authors.parquet")


def with_spark(data: pathlib.Path) -> tuple[dict[str, int], dict[str, list[int]]]:
    spark = SparkSession.builder.getOrCreate()
    words = spark.read.parquet((data / "words").as_uri())
    authors = spark.read.parquet((data / "authors.parquet").as_uri())
    counts = {r["word"]: r["count"] for r in words.groupBy("word").count().collect()}
    joined = words.join(authors, "author").groupBy("country").agg(f.count("*").alias("n"), f.sum(f.length("word")).alias("letters"))
    countries = {r["country"]: [r["n"], r["letters"]] for r in joined.collect()}
    return counts, countries


def without_spark(data: pathlib.Path) -> tuple[dict[str, int], dict[str, list[int]]]:
    table = pq.read_table(data / "words")
    authors = pq.read_table(data / "authors.parquet").to_pydict()
    country_of = dict(zip(authors["author"], authors["country"]))
    words, by = table["word"].to_pylist(), table["author"].to_pylist()
    countries: dict[str, list[int]] = {}
    for word, author in zip(words, by):
        if author in country_of:
            sums = countries.setdefault(country_of[author], [0, 0])
            sums[0] += 1
            sums[1] += len(word)
    return dict(collections.Counter(words)), countries


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("data").resolve())
    args = parser.parse_args()

    data = args.data.resolve()
    generate(data, args.rows, args.seed)
    print(f"{args.rows} rows in {PARTS} files", flush=True)
    counts, countries = with_spark(data)
    print(f"Spark: {len(counts)} words, {sum(counts.values())} in all; {len(countries)} countries", flush=True)
    same = (counts, countries) == without_spark(data)
    print("without Spark: the same" if same else "without Spark: NOT the same", flush=True)

    output = os.environ.get("STEPHOST_OUTPUT_DIR")
    if output:
        pathlib.Path(output, "countries.json").write_text(json.dumps(countries, sort_keys=True))
    print(f"::stephost value rows={sum(counts.values())}", flush=True)
    print(f"::stephost value top={json.dumps(max(counts, key=counts.__getitem__))}", flush=True)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
