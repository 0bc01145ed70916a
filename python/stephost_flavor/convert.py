"""Between the contract's messages and the SDK's types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from . import errors
from ._proto import operator_pb2 as pb
from .limits import MAX_DETAIL, MAX_EXIT_CODE, MAX_OUTPUTS, MAX_STRING, MAX_SUMMARY, MAX_TEXT
from .status import Class, Handle, Output, Phase, Scope, Status
from .step import Deadlines, Directory, Environment, Image, Raw, Resources, Secret, SourceRoot, Step

V = TypeVar("V")


def bound(text: str, limit: int) -> str:
    """Shortens text to at most limit bytes without cutting a character, and makes
    it valid UTF-8, which the contract's strings must be."""
    data = text.encode("utf-8", "replace")
    if len(data) > limit:
        data = data[: limit - 3] + b"..."
        return data.decode("utf-8", "ignore")
    return data.decode("utf-8")


def line(text: str) -> str:
    """A string of an answer that has no limit of its own."""
    return bound(text, MAX_STRING)


def timestamp(t: datetime | float | None) -> Timestamp | None:
    """A datetime (without a zone: UTC) or seconds since 1970."""
    if t is None or t == 0:
        return None
    out = Timestamp()
    if isinstance(t, datetime):
        out.FromDatetime(t if t.tzinfo is None else t.astimezone(timezone.utc))
    else:
        out.FromNanoseconds(int(t * 1e9))
    return out


def duration(seconds: float) -> Duration:
    out = Duration()
    out.FromNanoseconds(int(seconds * 1e9))
    return out


def seconds(d: Duration) -> float:
    return d.ToNanoseconds() / 1e9


def scope_of(s: pb.Scope) -> Scope:
    return Scope(s.id, s.display)


def handle_of(h: pb.Handle, key: str, target: pb.Target) -> Handle:
    return Handle(data=h.data, version=max(h.version, 1), key=key, scope=scope_of(target.scope))


def handle_proto(h: Handle) -> pb.Handle:
    return pb.Handle(version=max(h.version, 1), data=h.data)


def ordered(m: Mapping[str, V]) -> dict[str, V]:
    """A map of a message in the order of its names. The order of its own is undefined
    (protobuf's documentation, "Maps"), and a flavor that makes a request of it would
    show another one each time."""
    return {name: m[name] for name in sorted(m)}


def step_of(s: pb.Step, target: pb.Target) -> Step:
    env = Environment()
    kind = s.environment.WhichOneof("kind")
    if kind == "image":
        env = Environment(image=Image(s.environment.image.reference, s.environment.image.shim))
    elif kind == "directory":
        d = s.environment.directory
        env = Environment(directory=Directory(d.path, d.venv, d.python))
    elif kind == "raw":
        raw = s.environment.raw
        env = Environment(raw=Raw(list(raw.requirements), [SourceRoot(r.path, r.target, r.digest) for r in raw.source]))
    r = s.resources
    return Step(
        run_id=s.run_id,
        token=s.run_token,
        key=s.key,
        attempt=s.attempt,
        argv=list(s.argv),
        env=ordered(s.env),
        secrets={name: Secret(v.value) for name, v in ordered(s.secrets).items()},
        pipeline=s.pipeline,
        pipeline_run=s.pipeline_run,
        name=s.name,
        labels=ordered(s.labels),
        environment=env,
        resources=Resources(r.cpu_millis, r.memory_bytes, r.gpu, r.gpu_type, r.nodes, r.disk_bytes, r.shared_memory_bytes),
        deadlines=Deadlines(seconds(s.deadlines.provisioning), seconds(s.deadlines.run)),
        run_dir=s.run_dir,
        allow_visible_secrets=s.allow_visible_secrets,
        operator=target.operator,
        project=target.project,
        scope=scope_of(target.scope),
    )


def diagnostics(error: BaseException | None) -> list[pb.Diagnostic]:
    """One diagnostic for each finding."""
    if error is None:
        return []
    if isinstance(error, errors.Several):
        return [d for e in error.errors for d in diagnostics(e)]
    return [diagnostic(error)]


def diagnostic(error: BaseException) -> pb.Diagnostic:
    """The first line of the text, shortened, is the summary; the whole text is the
    detail when it is longer."""
    text = text_of(error)
    summary = bound(text.split("\n", 1)[0].strip().rstrip("."), MAX_SUMMARY)
    d = pb.Diagnostic(severity=pb.SEVERITY_ERROR, summary=summary, **{"class": errors.class_of(error)})  # type: ignore[arg-type]
    if text != summary:
        d.detail = bound(text, MAX_DETAIL)
    for e in errors.chain(error):
        if isinstance(e, errors.Error) and e.attribute:
            d.attribute.extend(line(part) for part in e.attribute)
            break
    outer = errors.find(error)
    if outer is not None and outer.warning:
        d.severity = pb.SEVERITY_WARNING
        setattr(d, "class", pb.CLASS_UNSPECIFIED)
    elif outer is not None and outer.note:
        d.severity = pb.SEVERITY_NOTE
        setattr(d, "class", pb.CLASS_UNSPECIFIED)
    return d


def text_of(error: BaseException) -> str:
    """What a person should read of an exception of any kind."""
    try:
        text = str(error).strip()
    except Exception:  # an author's __str__ may fail, and must not hide the error
        text = ""
    if isinstance(error, errors.Error):
        return text
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def could_not_ask(error: BaseException) -> pb.CouldNotAsk:
    """The contract's answer for any error of a read."""
    c = pb.CouldNotAsk(reason=pb.CouldNotAsk.REASON_UNREACHABLE, diagnostic=diagnostic(error))
    e = errors.ask_of(error)
    if e is not None and e.ask is not None:
        c.reason = int(e.ask)  # type: ignore[assignment]
        if e.retry_after > 0:
            c.retry_after.CopyFrom(duration(e.retry_after))
    elif errors.class_of(error) == Class.AUTH:
        c.reason = pb.CouldNotAsk.REASON_AUTH
    return c


def warnings_of(step: Step | None) -> list[pb.Diagnostic]:
    return [diagnostic(w) for w in step.warnings] if step else []


def status_proto(st: Status, at: float) -> pb.Status:
    return pb.Status(
        phase=int(st.phase),  # type: ignore[arg-type]
        reason=bound(st.reason, MAX_SUMMARY),
        message=bound(st.message, MAX_TEXT),
        native_state=bound(st.native_state, MAX_SUMMARY),
        restarts=st.restarts,
        observed_at=timestamp(at),
        phase_since=timestamp(st.phase_since),
        url=line(st.url),
    )


def terminal_proto(st: Status) -> pb.Terminal:
    outputs, warning = outputs_proto(st.outputs)
    code = st.exit_code
    if code is not None and not 0 <= code <= MAX_EXIT_CODE:
        code, warning = None, _more(f"the exit code {code} is none of a process", warning)
    t = pb.Terminal(
        phase=int(st.phase),  # type: ignore[arg-type]
        signal=bound(st.signal, MAX_SUMMARY),
        reason=bound(st.reason, MAX_SUMMARY),
        message=_with_warning(st.message, warning),
        started_at=timestamp(st.started_at),
        ended_at=timestamp(st.ended_at),
        restarts=st.restarts,
        native_state=bound(st.native_state, MAX_SUMMARY),
        outputs=outputs,
    )
    setattr(t, "class", int(_terminal_class(st)))
    if code is not None:
        t.exit_code = code
    return t


def outputs_proto(outputs: list[Output]) -> tuple[list[pb.Output], str]:
    """The list as the contract takes it, and what a person should hear of it. A name
    or a place that is no UTF-8 (os.fsdecode gives such) cannot be told, and one that
    was made so would lead nowhere."""
    told: list[pb.Output] = []
    bad: list[str] = []
    size = 0
    for i, o in enumerate(outputs):
        try:
            size += len(o.name.encode()) + len(o.location.encode())
        except UnicodeEncodeError:
            bad.append(f"{o.name[:80]!r} at {o.location[:200]!r}")
            continue
        if size > MAX_OUTPUTS:
            return told, _more(_no_text(bad), f"{_count(len(outputs) - i)} not listed, since the list would be longer than 1 MiB")
        told.append(pb.Output(name=o.name, location=o.location, bytes=o.bytes))
    return told, _no_text(bad)


def _no_text(bad: list[str]) -> str:
    if not bad:
        return ""
    names = "its name is" if len(bad) == 1 else "their names are"
    return f"{_count(len(bad))} not listed, since {names} no UTF-8 text: {bad[0]}" + (", ..." if len(bad) > 1 else "")


def _count(n: int) -> str:
    return "1 output is" if n == 1 else f"{n} outputs are"


def _more(a: str, b: str) -> str:
    return "; ".join(text for text in (a, b) if text)


def _with_warning(message: str, warning: str) -> str:
    """A message of at most MAX_TEXT bytes that ends with the warning."""
    if not warning:
        return bound(message, MAX_TEXT)
    warning = bound(warning, MAX_TEXT // 2)
    return _more(bound(message, MAX_TEXT - len(warning.encode()) - len("; ")), warning)


def _terminal_class(st: Status) -> Class:
    if st.phase == Phase.SUCCEEDED:
        return Class.UNSPECIFIED
    if st.class_ != Class.UNSPECIFIED:
        return st.class_
    if st.phase == Phase.CANCELLED:
        return Class.CANCELLED
    if st.phase == Phase.LOST:
        return Class.LOST
    return Class.USER if st.exit_code else Class.SYSTEM


def texts(values: Iterable[str]) -> list[str]:
    return [bound(v, MAX_DETAIL) for v in values]
