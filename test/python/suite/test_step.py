from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import stephost

HEAD = "import stephost\n"
MAIN = 'if __name__ == "__main__":\n'


def printed(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_here_there_and_elsewhere(script) -> None:
    text = HEAD + (
        "import os\n"
        "@stephost.step(step_operator='here', env={'A': 'option'})\n"
        "def f(x: int, *, k: list = []) -> dict:\n"
        "    'Doc.'\n"
        "    print('in f', os.environ.get('STEPHOST_ATTEMPT'))\n"
        "    return {'x': x, 'k': k, 'a': os.environ.get('A'), 'ä': 1.5}\n"
        "@stephost.step\n"
        "def g(): return None\n"
    ) + MAIN + (
        "    print(f(1)['a'], f.__doc__, f.__name__)\n"
        "    print(f.remote(2, k=[None, True, 'x']))\n"
        "    print(f.on('fault', env={'A': 'on'})(3)['a'])\n"
        "    print(g.on('here')())\n"
    )
    assert printed(script(text)) == [
        "in f None", "None Doc. f", "in f 1", "{'x': 2, 'k': [None, True, 'x'], 'a': 'option', 'ä': 1.5}", "in f 1", "on", "None",
    ]


def test_custom_step_operator_and_default(script) -> None:
    subprocess.run([stephost.binary(), "operator", "default", "here"], check=True, capture_output=True)
    text = HEAD + (
        "@stephost.step(custom_step_operator='here')\ndef f(): return 1\n"
        "@stephost.step(step_operator=True)\ndef g(): return 2\n"
    ) + MAIN + "    print(f.remote(), g.remote())\n"
    assert printed(script(text)) == ["1 2"]
    with pytest.raises(stephost.CallError, match="name one"):
        stephost.step(step_operator="a", custom_step_operator="b")
    with pytest.raises(stephost.CallError, match="call it without .remote"):
        stephost.step(step_operator=False)
    with pytest.raises(stephost.CallError, match="did you mean 'requirements'"):
        stephost.step(requirement=["x"])  # type: ignore[call-overload]
    with pytest.raises(stephost.CallError, match="serializer"):
        stephost.step(serializer="yaml")


def test_module_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "pkg" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "pkg" / "__init__.py").touch()
    (package / "__init__.py").write_text("from .steps import f\n")
    (package / "helper.py").write_text("def twice(x): return 2 * x\n")
    (package / "steps.py").write_text(
        HEAD + "from .helper import twice\n@stephost.step(step_operator='here')\ndef f(x): return twice(x)\n" + MAIN + "    print(f.remote(4))\n"
    )
    for argv in (["-m", "pkg.deep.steps"], ["-c", "from pkg.deep import f; print(f.remote(4))"]):
        done = subprocess.run([sys.executable, *argv], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert printed(done)[-1] == "8"


def test_script_with_a_strange_name_and_source(script, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("content")
    text = HEAD + "@stephost.step(step_operator='here', source='.')\ndef f(): return open('data.txt').read()\n" + MAIN + "    print(f.remote())\n"
    assert printed(script(text, "my-script 1.py")) == ["content"]
    (tmp_path / "other").mkdir()
    done = script(text.replace("source='.'", "source='other'"))
    assert "is in" in done.stderr and "add it, or leave source out" in done.stderr


def test_pickle_knows_classes_of_the_script(script) -> None:
    text = HEAD + (
        "class C:\n    def __init__(self, v): self.v = v\n"
        "@stephost.step(step_operator='here', serializer='pickle')\n"
        "def f(c, n): return (C(c.v + 1), {1: 'x' * n})\n"
    ) + MAIN + "    for n in (1, 200_000):\n        c, d = f.remote(C(n), n)\n        print(isinstance(c, C), c.v, len(d[1]))\n"
    assert printed(script(text)) == ["True 2 1", "True 200001 200000"]


def test_large_arguments_and_results(script) -> None:
    text = HEAD + "@stephost.step(step_operator='here')\ndef f(x): return x[::-1]\n" + MAIN + "    s = 'ab' * 300_000\n    print(f.remote(s) == s[::-1])\n"
    assert printed(script(text)) == ["True"]


@pytest.mark.parametrize(
    "call, message",
    [
        ("f.remote((1,))", "argument 1 of f is a tuple, which would come back as a list"),
        ("f.remote({1: 2})", "has the key 1, which would come back as a text"),
        ("f.remote(x=[{'a': float('nan')}])", "argument x of f[0]['a'] is nan, which JSON has not"),
        ("f.remote({1})", "is a builtins.set, which JSON has not"),
        ("f.remote()", "missing a required argument: 'x'"),
        ("stephost.step(lambda: 1).remote()", "a lambda cannot run elsewhere"),
        ("inner().remote()", "is defined inside another function"),
        ("g.remote(1)", "is not this function"),
    ],
)
def test_refused_before_anything_is_launched(script, call: str, message: str) -> None:
    text = HEAD + (
        "@stephost.step(step_operator='here')\ndef f(x): return x\n"
        "def inner():\n    @stephost.step\n    def h(): pass\n    return h\n"
        "def g(x): pass\ng, other = stephost.step(g), g\ng2 = g\ndef g(x): pass\ng = g2 if False else stephost.step(step_operator='here')(other)\n"
        "g.function.__qualname__ = 'inner'\n"
    ) + MAIN + f"    {call}\n"
    before = len(stephost.runs.list())
    done = script(text)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert len(stephost.runs.list()) == before


def test_results_that_cannot_travel(script) -> None:
    text = HEAD + "@stephost.step(step_operator='here')\ndef f(): return (1, 2)\n" + MAIN + "    f.remote()\n"
    done = script(text)
    assert done.returncode == 1 and "f raised stephost._errors.CallError: the result of f is a tuple" in done.stderr


def test_no_file_no_travel() -> None:
    text = HEAD + "@stephost.step(step_operator='here')\ndef f(): pass\nf.remote()"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert "a notebook cell, python -c, or a prompt" in done.stderr and "from steps import f" in done.stderr


def test_unguarded_script_is_told(script) -> None:
    done = script(HEAD + "@stephost.step(step_operator='here')\ndef f(): pass\nf.remote()\n")
    assert done.returncode == 1
    assert 'script.py launches a step while it is imported' in done.stderr and '__main__' in done.stderr


def test_error_over_there(script) -> None:
    text = HEAD + (
        "class Own(Exception): pass\n"
        "def deeper(): raise Own('bad thing')\n"
        "@stephost.step(step_operator='here')\ndef f(): deeper()\n"
    ) + MAIN + (
        "    try: f.remote()\n"
        "    except stephost.StepFailed as e:\n"
        "        print(str(e).splitlines()[0]); print(e.class_, e.result.exit_code); print(e.last_lines[0], e.last_lines[-1])\n"
    )
    assert printed(script(text)) == [
        "f raised script.Own: bad thing", "user 1", "Traceback (most recent call last): script.Own: bad thing",
    ]


def test_what_it_prints_is_shown_and_the_result_is_not(script) -> None:
    text = HEAD + "@stephost.step(step_operator='here')\ndef f():\n    print('a'); print('no end', end='')\n    return 1\n" + MAIN + "    f.remote()\n"
    assert printed(script(text)) == ["a", "no end"]


def test_async_function_and_call(script) -> None:
    text = HEAD + (
        "import asyncio\n"
        "@stephost.step(step_operator='here')\nasync def f(x): return x + 1\n"
        "@stephost.step(step_operator='here')\ndef g(x): return x + 2\n"
    ) + MAIN + "    async def main(): return await asyncio.gather(f.remote_async(1), g.remote_async(1))\n    print(asyncio.run(main()))\n"
    assert printed(script(text)) == ["[2, 3]"]


def test_a_step_calls_another(script) -> None:
    there = {"STEPHOST_HOME": os.environ["STEPHOST_HOME"], "STEPHOST_PROGRAM": stephost.binary()}
    text = HEAD + (
        "import os\n"
        "@stephost.step(step_operator='here')\ndef inner(x): return x[::-1]\n"
        "@stephost.step(step_operator='here')\ndef outer(x):\n"
        f"    os.environ.update({there!r})\n"
        "    return inner.remote(x + 'c')\n"
    ) + MAIN + "    s = 'ab' * 8000\n    print(outer.remote(s) == (s + 'c')[::-1])\n"
    assert printed(script(text))[-1] == "True"


def test_requirements(script, tmp_path: Path) -> None:
    """A requirement that only the step has, from a directory: no index is asked."""
    project = tmp_path / "lib"
    (project / "onlythere").mkdir(parents=True)
    (project / "onlythere" / "__init__.py").write_text("VALUE = 42\n")
    wheel = tmp_path / "onlythere-1.0-py3-none-any.whl"
    import zipfile

    with zipfile.ZipFile(wheel, "w") as z:
        z.writestr("onlythere/__init__.py", "VALUE = 42\n")
        z.writestr("onlythere-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: onlythere\nVersion: 1.0\n")
        z.writestr("onlythere-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr("onlythere-1.0.dist-info/RECORD", "")
    text = HEAD + (
        f"@stephost.step(step_operator='here', requirements=['onlythere @ file://{wheel}'])\n"
        "def f():\n    import onlythere\n    return onlythere.VALUE\n"
    ) + MAIN + "    print(f.remote())\n"
    assert printed(script(text)) == ["42"]


def test_import_is_light(tmp_path: Path) -> None:
    # As it is where an installer, or the first import, has compiled it.
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)

    code = "import sys, time; t = time.perf_counter(); import stephost; print(time.perf_counter() - t); print('subprocess' in sys.modules, 'asyncio' in sys.modules)"
    best = min(float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout.split()[0]) for _ in range(10))
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout.split()
    assert out[1:] == ["False", "False"]
    assert best < 0.020, f"import stephost took {best * 1000:.1f} ms at best"
    assert set(stephost.__all__) <= set(dir(stephost))
    for name in stephost.__all__:
        assert getattr(stephost, name) is not None
    assert stephost.version() == stephost.__version__
    with pytest.raises(AttributeError):
        stephost.nothing  # noqa: B018


def test_the_other_side_imports_little() -> None:
    """Each import is a part of what a remote call costs."""
    from stephost import _light, _options

    assert list(_light.OPTIONS) == list(_options.Options.__annotations__)
    code = "import sys, stephost; stephost.step; from stephost import _travel; print(sorted(set(sys.argv[1:]) & set(sys.modules)))"
    heavy = ["asyncio", "dataclasses", "inspect", "pickle", "subprocess", "threading", "typing"]
    out = subprocess.run([sys.executable, "-S", "-c", code, *heavy], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(stephost.__file__))}).stdout
    assert out == "[]\n"


def test_hidden_lines() -> None:
    """However the log is cut, what the step wrote is shown and the result is not."""
    from stephost._step import _Hidden

    value = '::stephost value stephost.result={"a": 1}\n'
    for written, shown in [
        ("a\n\n" + value, "a\n"),
        ("a\n" + "\n\n" + value, "a\n\n"),
        ("no end\n" + value, "no end\n"),
        ("\n" + value, ""),
        ("::stephost value other=1\n\n" + value, "::stephost value other=1\n"),
        (":: x\n\n:\n" + "\n" + value, ":: x\n\n:\n"),
    ]:
        for cut in range(len(written) + 1):
            got: list[str] = []
            hide = _Hidden(lambda log: got.append(log.text))
            for part in (written[:cut], written[cut:]):
                if part:
                    hide(stephost.Log(text=part))
            assert "".join(got) == shown, (written, cut, got)
