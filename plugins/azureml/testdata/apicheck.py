"""Checks the body of a PUT of a job against the models that Microsoft generates from
its API description and publishes with azure-ai-ml (azure.ai.ml._restclient):
members, types, required ones, enums, and what only the service may set. Usage:
apicheck.py FILE.json; prints nothing when all is right."""

import enum
import importlib
import importlib.util
import json
import pathlib
import sys
import types
import typing

# The package itself imports all of its dependencies; the models need none of them.
root = pathlib.Path(importlib.util.find_spec("azure.ai").submodule_search_locations[0]) / "ml"
for name, path in {"azure.ai.ml": root, "azure.ai.ml._restclient": root / "_restclient",
                   "azure.ai.ml._restclient.arm_ml_service": root / "_restclient" / "arm_ml_service"}.items():
    package = types.ModuleType(name)
    package.__path__ = [str(path)]
    sys.modules[name] = package
models = importlib.import_module("azure.ai.ml._restclient.arm_ml_service.models")
base = importlib.import_module("azure.ai.ml._restclient.arm_ml_service._utils.model_base")
NAMES = dict(vars(models), _models=models)


def variant(model, value):
    """The class that the discriminators of value name."""
    while getattr(model, "__mapping__", None):
        model()
        fields = {f._rest_name: f for n, f in model._attr_to_rest_field.items() if f._is_discriminator}
        for name in fields:
            nearer = model.__mapping__.get(value.get(name))
            if nearer is not None and nearer is not model:
                model = nearer
                break
        else:
            return model
    return model


def check_model(model, value, path, found):
    if not isinstance(value, dict):
        found.append(f"{path}: {value!r:.80} is no {model.__name__}")
        return
    model = variant(model, value)
    model()  # its members are gathered when the first of its kind is made
    hints = {}
    for cls in reversed(model.__mro__):
        for name, hint in getattr(cls, "__annotations__", {}).items():
            hints[name] = hint
    members = {}
    for name, field in model._attr_to_rest_field.items():
        hint = eval(hints[name], vars(sys.modules[model.__module__]) | NAMES) if isinstance(hints[name], str) else hints[name]
        members[field._rest_name] = hint, field
    for name, one in value.items():
        if name not in members:
            found.append(f"{path}.{name}: {model.__name__} has no such member")
            continue
        hint, field = members[name]
        if field._visibility == ["read"]:
            found.append(f"{path}.{name}: only the service may set it")
        check(hint, one, f"{path}.{name}", found)
    for name, (hint, field) in members.items():
        if type(None) not in typing.get_args(hint) and name not in value and field._visibility != ["read"]:
            found.append(f"{path}.{name}: {model.__name__} needs it")


def check(hint, value, path, found):
    if isinstance(hint, (str, typing.ForwardRef)):
        hint = eval(getattr(hint, "__forward_arg__", hint), NAMES)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return
    if origin is typing.Union:
        args = [eval(a.__forward_arg__, NAMES) if isinstance(a, typing.ForwardRef) else a for a in args]
        if value is None:
            if type(None) not in args:
                found.append(f"{path}: null")
            return
        args = [a for a in args if a is not type(None)]
        words = [a for a in args if isinstance(a, type) and issubclass(a, enum.Enum)]
        if words:  # Union[str, Words]: open to later words, which nobody here sends
            if value not in [w.value for w in words[0]]:
                found.append(f"{path}: {value!r:.80} is none of {[w.value for w in words[0]]}")
            return
        check(args[0], value, path, found)
    elif origin is dict and isinstance(value, dict):
        for name, one in value.items():
            check(args[1], one, f"{path}.{name}", found)
    elif origin is list and isinstance(value, list):
        for i, one in enumerate(value):
            check(args[0], one, f"{path}[{i}]", found)
    elif origin is typing.Literal:
        if value not in [getattr(a, "value", a) for a in args]:
            found.append(f"{path}: {value!r:.80} is none of {args}")
    elif isinstance(hint, type) and issubclass(hint, base.Model):
        check_model(hint, value, path, found)
    elif hint in (str, int, float, bool) and type(value) is hint:
        pass
    elif hint is float and type(value) is int:
        pass
    elif origin is None and hint.__module__ == "datetime" and isinstance(value, str):
        pass  # ISO 8601, which JSON holds as text
    else:
        found.append(f"{path}: {value!r:.80} is no {hint}")


with open(sys.argv[1], encoding="utf-8") as file:
    body = json.load(file)
problems = []
check_model(models.JobBase, body, "", problems)
print("\n".join(problems), end="")
