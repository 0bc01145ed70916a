"""Checks a CreateTrainingJob request against the API description that AWS
publishes with botocore: members, types, required ones, enums, lengths and
patterns. Usage: apicheck.py FILE.json; prints nothing when all is right."""

import json
import sys

import botocore.session
import regex
from botocore.validate import ParamValidator

DATA = sys.argv[1]


def check(shape, value, path, found):
    meta = shape.metadata
    if shape.type_name == "structure":
        for name, one in value.items():
            check(shape.members[name], one, f"{path}.{name}", found)
    elif shape.type_name == "list":
        size(meta, len(value), path, found)
        for i, one in enumerate(value):
            check(shape.member, one, f"{path}[{i}]", found)
    elif shape.type_name == "map":
        size(meta, len(value), path, found)
        for name, one in value.items():
            check(shape.key, name, f"{path}.{name}", found)
            check(shape.value, one, f"{path}.{name}", found)
    elif shape.type_name == "string":
        size(meta, len(value), path, found)
        if "enum" in meta and value not in meta["enum"]:
            found.append(f"{path}: {value!r} is none of the values")
        # regex knows \\p{L}, which the patterns use and re does not.
        if "pattern" in meta and not regex.fullmatch(meta["pattern"], value):
            found.append(f"{path}: {value!r:.80} does not match {meta['pattern']}")
    elif shape.type_name in ("integer", "long", "float", "double"):
        size(meta, value, path, found)


def size(meta, n, path, found):
    if n < meta.get("min", n) or n > meta.get("max", n):
        found.append(f"{path}: {n} is not between {meta.get('min')} and {meta.get('max')}")


with open(DATA, encoding="utf-8") as file:
    request = json.load(file)
model = botocore.session.get_session().get_service_model("sagemaker")
shape = model.operation_model("CreateTrainingJob").input_shape
problems = []
report = ParamValidator().validate(request, shape)
if report.has_errors():
    problems.append(report.generate_report())
else:
    check(shape, request, "", problems)
print("\n".join(problems), end="")
