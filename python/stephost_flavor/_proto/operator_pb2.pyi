import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_ERROR: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_NOTE: _ClassVar[Severity]

class Class(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLASS_UNSPECIFIED: _ClassVar[Class]
    CLASS_USER: _ClassVar[Class]
    CLASS_CONFIG: _ClassVar[Class]
    CLASS_CAPACITY: _ClassVar[Class]
    CLASS_PREEMPTED: _ClassVar[Class]
    CLASS_SYSTEM: _ClassVar[Class]
    CLASS_TIMEOUT: _ClassVar[Class]
    CLASS_CANCELLED: _ClassVar[Class]
    CLASS_LOST: _ClassVar[Class]
    CLASS_AUTH: _ClassVar[Class]

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_QUEUED: _ClassVar[Phase]
    PHASE_PROVISIONING: _ClassVar[Phase]
    PHASE_RUNNING: _ClassVar[Phase]
    PHASE_CANCELLING: _ClassVar[Phase]
    PHASE_SUCCEEDED: _ClassVar[Phase]
    PHASE_FAILED: _ClassVar[Phase]
    PHASE_CANCELLED: _ClassVar[Phase]
    PHASE_LOST: _ClassVar[Phase]
SEVERITY_UNSPECIFIED: Severity
SEVERITY_ERROR: Severity
SEVERITY_WARNING: Severity
SEVERITY_NOTE: Severity
CLASS_UNSPECIFIED: Class
CLASS_USER: Class
CLASS_CONFIG: Class
CLASS_CAPACITY: Class
CLASS_PREEMPTED: Class
CLASS_SYSTEM: Class
CLASS_TIMEOUT: Class
CLASS_CANCELLED: Class
CLASS_LOST: Class
CLASS_AUTH: Class
PHASE_UNSPECIFIED: Phase
PHASE_QUEUED: Phase
PHASE_PROVISIONING: Phase
PHASE_RUNNING: Phase
PHASE_CANCELLING: Phase
PHASE_SUCCEEDED: Phase
PHASE_FAILED: Phase
PHASE_CANCELLED: Phase
PHASE_LOST: Phase

class Diagnostic(_message.Message):
    __slots__ = ("severity", "summary", "detail", "attribute")
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    severity: Severity
    summary: str
    detail: str
    attribute: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, severity: _Optional[_Union[Severity, str]] = ..., summary: _Optional[str] = ..., detail: _Optional[str] = ..., attribute: _Optional[_Iterable[str]] = ..., **kwargs) -> None: ...

class Secret(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: str
    def __init__(self, value: _Optional[str] = ...) -> None: ...

class Values(_message.Message):
    __slots__ = ("json", "secrets")
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Secret
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Secret, _Mapping]] = ...) -> None: ...
    JSON_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    secrets: _containers.MessageMap[str, Secret]
    def __init__(self, json: _Optional[bytes] = ..., secrets: _Optional[_Mapping[str, Secret]] = ...) -> None: ...

class Scope(_message.Message):
    __slots__ = ("id", "display")
    ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    id: str
    display: str
    def __init__(self, id: _Optional[str] = ..., display: _Optional[str] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("operator", "flavor_version", "manifest_digest", "config", "scope", "project")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    FLAVOR_VERSION_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    operator: str
    flavor_version: str
    manifest_digest: str
    config: Values
    scope: Scope
    project: str
    def __init__(self, operator: _Optional[str] = ..., flavor_version: _Optional[str] = ..., manifest_digest: _Optional[str] = ..., config: _Optional[_Union[Values, _Mapping]] = ..., scope: _Optional[_Union[Scope, _Mapping]] = ..., project: _Optional[str] = ...) -> None: ...

class CouldNotAsk(_message.Message):
    __slots__ = ("reason", "diagnostic", "retry_after")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[CouldNotAsk.Reason]
        REASON_UNREACHABLE: _ClassVar[CouldNotAsk.Reason]
        REASON_THROTTLED: _ClassVar[CouldNotAsk.Reason]
        REASON_AUTH: _ClassVar[CouldNotAsk.Reason]
        REASON_WRONG_SCOPE: _ClassVar[CouldNotAsk.Reason]
    REASON_UNSPECIFIED: CouldNotAsk.Reason
    REASON_UNREACHABLE: CouldNotAsk.Reason
    REASON_THROTTLED: CouldNotAsk.Reason
    REASON_AUTH: CouldNotAsk.Reason
    REASON_WRONG_SCOPE: CouldNotAsk.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTIC_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    reason: CouldNotAsk.Reason
    diagnostic: Diagnostic
    retry_after: _duration_pb2.Duration
    def __init__(self, reason: _Optional[_Union[CouldNotAsk.Reason, str]] = ..., diagnostic: _Optional[_Union[Diagnostic, _Mapping]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Handle(_message.Message):
    __slots__ = ("version", "data")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    version: int
    data: bytes
    def __init__(self, version: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("cpu_millis", "memory_bytes", "gpu", "gpu_type", "nodes", "disk_bytes", "shared_memory_bytes")
    CPU_MILLIS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    GPU_TYPE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARED_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu_millis: int
    memory_bytes: int
    gpu: int
    gpu_type: str
    nodes: int
    disk_bytes: int
    shared_memory_bytes: int
    def __init__(self, cpu_millis: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., gpu: _Optional[int] = ..., gpu_type: _Optional[str] = ..., nodes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., shared_memory_bytes: _Optional[int] = ...) -> None: ...

class SourceRoot(_message.Message):
    __slots__ = ("path", "target", "digest")
    PATH_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    path: str
    target: str
    digest: str
    def __init__(self, path: _Optional[str] = ..., target: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Environment(_message.Message):
    __slots__ = ("image", "directory", "raw")
    class Image(_message.Message):
        __slots__ = ("reference", "shim")
        REFERENCE_FIELD_NUMBER: _ClassVar[int]
        SHIM_FIELD_NUMBER: _ClassVar[int]
        reference: str
        shim: bool
        def __init__(self, reference: _Optional[str] = ..., shim: bool = ...) -> None: ...
    class Directory(_message.Message):
        __slots__ = ("path", "venv", "python")
        PATH_FIELD_NUMBER: _ClassVar[int]
        VENV_FIELD_NUMBER: _ClassVar[int]
        PYTHON_FIELD_NUMBER: _ClassVar[int]
        path: str
        venv: str
        python: str
        def __init__(self, path: _Optional[str] = ..., venv: _Optional[str] = ..., python: _Optional[str] = ...) -> None: ...
    class Raw(_message.Message):
        __slots__ = ("requirements", "source")
        REQUIREMENTS_FIELD_NUMBER: _ClassVar[int]
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        requirements: _containers.RepeatedScalarFieldContainer[str]
        source: _containers.RepeatedCompositeFieldContainer[SourceRoot]
        def __init__(self, requirements: _Optional[_Iterable[str]] = ..., source: _Optional[_Iterable[_Union[SourceRoot, _Mapping]]] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    image: Environment.Image
    directory: Environment.Directory
    raw: Environment.Raw
    def __init__(self, image: _Optional[_Union[Environment.Image, _Mapping]] = ..., directory: _Optional[_Union[Environment.Directory, _Mapping]] = ..., raw: _Optional[_Union[Environment.Raw, _Mapping]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("run_id", "run_token", "attempt", "key", "pipeline", "pipeline_run", "name", "labels", "argv", "env", "secrets", "environment", "resources", "settings", "deadlines", "run_dir", "allow_visible_secrets")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Secret
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Secret, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_RUN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ARGV_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    DEADLINES_FIELD_NUMBER: _ClassVar[int]
    RUN_DIR_FIELD_NUMBER: _ClassVar[int]
    ALLOW_VISIBLE_SECRETS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    run_token: str
    attempt: int
    key: str
    pipeline: str
    pipeline_run: str
    name: str
    labels: _containers.ScalarMap[str, str]
    argv: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.ScalarMap[str, str]
    secrets: _containers.MessageMap[str, Secret]
    environment: Environment
    resources: Resources
    settings: Values
    deadlines: Deadlines
    run_dir: str
    allow_visible_secrets: bool
    def __init__(self, run_id: _Optional[str] = ..., run_token: _Optional[str] = ..., attempt: _Optional[int] = ..., key: _Optional[str] = ..., pipeline: _Optional[str] = ..., pipeline_run: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., argv: _Optional[_Iterable[str]] = ..., env: _Optional[_Mapping[str, str]] = ..., secrets: _Optional[_Mapping[str, Secret]] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., settings: _Optional[_Union[Values, _Mapping]] = ..., deadlines: _Optional[_Union[Deadlines, _Mapping]] = ..., run_dir: _Optional[str] = ..., allow_visible_secrets: bool = ...) -> None: ...

class Deadlines(_message.Message):
    __slots__ = ("provisioning", "run")
    PROVISIONING_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    provisioning: _duration_pb2.Duration
    run: _duration_pb2.Duration
    def __init__(self, provisioning: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., run: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetMetadataRequest(_message.Message):
    __slots__ = ("host_version", "host_capabilities")
    HOST_VERSION_FIELD_NUMBER: _ClassVar[int]
    HOST_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    host_version: str
    host_capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host_version: _Optional[str] = ..., host_capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class GetMetadataResponse(_message.Message):
    __slots__ = ("flavor", "version", "protocol", "manifest_digest", "sdk")
    FLAVOR_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    flavor: str
    version: str
    protocol: _containers.RepeatedScalarFieldContainer[int]
    manifest_digest: str
    sdk: str
    def __init__(self, flavor: _Optional[str] = ..., version: _Optional[str] = ..., protocol: _Optional[_Iterable[int]] = ..., manifest_digest: _Optional[str] = ..., sdk: _Optional[str] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("target", "step", "online")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    step: Step
    online: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ..., online: bool = ...) -> None: ...

class ValidateResponse(_message.Message):
    __slots__ = ("diagnostics",)
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("target", "step", "online")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    step: Step
    online: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ..., online: bool = ...) -> None: ...

class PlanResponse(_message.Message):
    __slots__ = ("request", "format", "notes", "diagnostics")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    request: str
    format: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, request: _Optional[str] = ..., format: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class ScopeRequest(_message.Message):
    __slots__ = ("target",)
    TARGET_FIELD_NUMBER: _ClassVar[int]
    target: Target
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ...) -> None: ...

class ScopeResponse(_message.Message):
    __slots__ = ("scope", "could_not_ask", "diagnostics")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    scope: Scope
    could_not_ask: CouldNotAsk
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, scope: _Optional[_Union[Scope, _Mapping]] = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class RegistryAuthRequest(_message.Message):
    __slots__ = ("target", "registry", "repository", "push", "create")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_FIELD_NUMBER: _ClassVar[int]
    REPOSITORY_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    CREATE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    registry: str
    repository: str
    push: bool
    create: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., registry: _Optional[str] = ..., repository: _Optional[str] = ..., push: bool = ..., create: bool = ...) -> None: ...

class RegistryAuthResponse(_message.Message):
    __slots__ = ("username", "password", "expires_at", "created", "not_ours", "diagnostics")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    NOT_OURS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    username: str
    password: Secret
    expires_at: _timestamp_pb2.Timestamp
    created: bool
    not_ours: bool
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, username: _Optional[str] = ..., password: _Optional[_Union[Secret, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created: bool = ..., not_ours: bool = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class PrepareRequest(_message.Message):
    __slots__ = ("target", "step")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    target: Target
    step: Step
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ...) -> None: ...

class PrepareResponse(_message.Message):
    __slots__ = ("progress", "diagnostics", "done", "could_not_ask")
    class Done(_message.Message):
        __slots__ = ("prepared", "resources")
        PREPARED_FIELD_NUMBER: _ClassVar[int]
        RESOURCES_FIELD_NUMBER: _ClassVar[int]
        prepared: bytes
        resources: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, prepared: _Optional[bytes] = ..., resources: _Optional[_Iterable[str]] = ...) -> None: ...
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    progress: str
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    done: PrepareResponse.Done
    could_not_ask: CouldNotAsk
    def __init__(self, progress: _Optional[str] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ..., done: _Optional[_Union[PrepareResponse.Done, _Mapping]] = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("target", "step", "prepared", "request_digest")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PREPARED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    target: Target
    step: Step
    prepared: bytes
    request_digest: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ..., prepared: _Optional[bytes] = ..., request_digest: _Optional[str] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("accepted", "rejected", "uncertain", "not_sent", "diagnostics")
    class Accepted(_message.Message):
        __slots__ = ("handle", "existing", "url", "native_name")
        HANDLE_FIELD_NUMBER: _ClassVar[int]
        EXISTING_FIELD_NUMBER: _ClassVar[int]
        URL_FIELD_NUMBER: _ClassVar[int]
        NATIVE_NAME_FIELD_NUMBER: _ClassVar[int]
        handle: Handle
        existing: bool
        url: str
        native_name: str
        def __init__(self, handle: _Optional[_Union[Handle, _Mapping]] = ..., existing: bool = ..., url: _Optional[str] = ..., native_name: _Optional[str] = ...) -> None: ...
    class Rejected(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Uncertain(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class NotSent(_message.Message):
        __slots__ = ("could_not_ask",)
        COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
        could_not_ask: CouldNotAsk
        def __init__(self, could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ...) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    NOT_SENT_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    accepted: SubmitResponse.Accepted
    rejected: SubmitResponse.Rejected
    uncertain: SubmitResponse.Uncertain
    not_sent: SubmitResponse.NotSent
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, accepted: _Optional[_Union[SubmitResponse.Accepted, _Mapping]] = ..., rejected: _Optional[_Union[SubmitResponse.Rejected, _Mapping]] = ..., uncertain: _Optional[_Union[SubmitResponse.Uncertain, _Mapping]] = ..., not_sent: _Optional[_Union[SubmitResponse.NotSent, _Mapping]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class FindRequest(_message.Message):
    __slots__ = ("target", "key", "run_token")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    target: Target
    key: str
    run_token: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., key: _Optional[str] = ..., run_token: _Optional[str] = ...) -> None: ...

class FindResponse(_message.Message):
    __slots__ = ("outcome", "jobs", "ask_again_after", "could_not_ask")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[FindResponse.Outcome]
        OUTCOME_FOUND: _ClassVar[FindResponse.Outcome]
        OUTCOME_ABSENT: _ClassVar[FindResponse.Outcome]
        OUTCOME_UNDETERMINED: _ClassVar[FindResponse.Outcome]
    OUTCOME_UNSPECIFIED: FindResponse.Outcome
    OUTCOME_FOUND: FindResponse.Outcome
    OUTCOME_ABSENT: FindResponse.Outcome
    OUTCOME_UNDETERMINED: FindResponse.Outcome
    class Job(_message.Message):
        __slots__ = ("key", "attempt", "handle", "request_digest", "incomplete", "phase", "created_at", "native_name", "url", "run_id")
        KEY_FIELD_NUMBER: _ClassVar[int]
        ATTEMPT_FIELD_NUMBER: _ClassVar[int]
        HANDLE_FIELD_NUMBER: _ClassVar[int]
        REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
        INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
        PHASE_FIELD_NUMBER: _ClassVar[int]
        CREATED_AT_FIELD_NUMBER: _ClassVar[int]
        NATIVE_NAME_FIELD_NUMBER: _ClassVar[int]
        URL_FIELD_NUMBER: _ClassVar[int]
        RUN_ID_FIELD_NUMBER: _ClassVar[int]
        key: str
        attempt: int
        handle: Handle
        request_digest: str
        incomplete: bool
        phase: Phase
        created_at: _timestamp_pb2.Timestamp
        native_name: str
        url: str
        run_id: str
        def __init__(self, key: _Optional[str] = ..., attempt: _Optional[int] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., request_digest: _Optional[str] = ..., incomplete: bool = ..., phase: _Optional[_Union[Phase, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., native_name: _Optional[str] = ..., url: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    ASK_AGAIN_AFTER_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    outcome: FindResponse.Outcome
    jobs: _containers.RepeatedCompositeFieldContainer[FindResponse.Job]
    ask_again_after: _duration_pb2.Duration
    could_not_ask: CouldNotAsk
    def __init__(self, outcome: _Optional[_Union[FindResponse.Outcome, str]] = ..., jobs: _Optional[_Iterable[_Union[FindResponse.Job, _Mapping]]] = ..., ask_again_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("target", "handle", "key", "heartbeat_interval")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    target: Target
    handle: Handle
    key: str
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., key: _Optional[str] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("status", "reachability", "heartbeat", "terminal")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REACHABILITY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_FIELD_NUMBER: _ClassVar[int]
    status: Status
    reachability: Reachability
    heartbeat: Heartbeat
    terminal: Terminal
    def __init__(self, status: _Optional[_Union[Status, _Mapping]] = ..., reachability: _Optional[_Union[Reachability, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., terminal: _Optional[_Union[Terminal, _Mapping]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("sequence", "phase", "reason", "message", "native_state", "restarts", "observed_at", "phase_since", "url")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NATIVE_STATE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_FIELD_NUMBER: _ClassVar[int]
    PHASE_SINCE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    phase: Phase
    reason: str
    message: str
    native_state: str
    restarts: int
    observed_at: _timestamp_pb2.Timestamp
    phase_since: _timestamp_pb2.Timestamp
    url: str
    def __init__(self, sequence: _Optional[int] = ..., phase: _Optional[_Union[Phase, str]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., native_state: _Optional[str] = ..., restarts: _Optional[int] = ..., observed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., phase_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., url: _Optional[str] = ...) -> None: ...

class Reachability(_message.Message):
    __slots__ = ("reachable", "could_not_ask", "since")
    REACHABLE_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    reachable: bool
    could_not_ask: CouldNotAsk
    since: _timestamp_pb2.Timestamp
    def __init__(self, reachable: bool = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("confirmed_at",)
    CONFIRMED_AT_FIELD_NUMBER: _ClassVar[int]
    confirmed_at: _timestamp_pb2.Timestamp
    def __init__(self, confirmed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Terminal(_message.Message):
    __slots__ = ("phase", "exit_code", "signal", "reason", "message", "started_at", "ended_at", "restarts", "outputs", "native_state")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    NATIVE_STATE_FIELD_NUMBER: _ClassVar[int]
    phase: Phase
    exit_code: int
    signal: str
    reason: str
    message: str
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    restarts: int
    outputs: _containers.RepeatedCompositeFieldContainer[Output]
    native_state: str
    def __init__(self, phase: _Optional[_Union[Phase, str]] = ..., exit_code: _Optional[int] = ..., signal: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., restarts: _Optional[int] = ..., outputs: _Optional[_Iterable[_Union[Output, _Mapping]]] = ..., native_state: _Optional[str] = ..., **kwargs) -> None: ...

class Output(_message.Message):
    __slots__ = ("name", "location", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    location: str
    bytes: int
    def __init__(self, name: _Optional[str] = ..., location: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("target", "handle", "key", "follow", "cursors")
    class CursorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    CURSORS_FIELD_NUMBER: _ClassVar[int]
    target: Target
    handle: Handle
    key: str
    follow: bool
    cursors: _containers.ScalarMap[str, str]
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., key: _Optional[str] = ..., follow: bool = ..., cursors: _Optional[_Mapping[str, str]] = ...) -> None: ...

class LogSource(_message.Message):
    __slots__ = ("name", "attempt", "epoch", "node", "container", "stream")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    name: str
    attempt: int
    epoch: int
    node: int
    container: str
    stream: str
    def __init__(self, name: _Optional[str] = ..., attempt: _Optional[int] = ..., epoch: _Optional[int] = ..., node: _Optional[int] = ..., container: _Optional[str] = ..., stream: _Optional[str] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("time", "data", "cursor", "partial", "late")
    TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    data: bytes
    cursor: str
    partial: bool
    late: bool
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[bytes] = ..., cursor: _Optional[str] = ..., partial: bool = ..., late: bool = ...) -> None: ...

class LogGap(_message.Message):
    __slots__ = ("certainty", "reason", "bytes")
    class Certainty(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CERTAINTY_UNSPECIFIED: _ClassVar[LogGap.Certainty]
        CERTAINTY_PROVEN: _ClassVar[LogGap.Certainty]
        CERTAINTY_POSSIBLE: _ClassVar[LogGap.Certainty]
    CERTAINTY_UNSPECIFIED: LogGap.Certainty
    CERTAINTY_PROVEN: LogGap.Certainty
    CERTAINTY_POSSIBLE: LogGap.Certainty
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    certainty: LogGap.Certainty
    reason: str
    bytes: int
    def __init__(self, certainty: _Optional[_Union[LogGap.Certainty, str]] = ..., reason: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class LogsResponse(_message.Message):
    __slots__ = ("source", "entries", "gap", "end", "reachability")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    REACHABILITY_FIELD_NUMBER: _ClassVar[int]
    source: LogSource
    entries: _containers.RepeatedCompositeFieldContainer[LogEntry]
    gap: LogGap
    end: bool
    reachability: Reachability
    def __init__(self, source: _Optional[_Union[LogSource, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[LogEntry, _Mapping]]] = ..., gap: _Optional[_Union[LogGap, _Mapping]] = ..., end: bool = ..., reachability: _Optional[_Union[Reachability, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("target", "handle", "key", "grace", "force")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    GRACE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    handle: Handle
    key: str
    grace: _duration_pb2.Duration
    force: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., key: _Optional[str] = ..., grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., force: bool = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("accepted", "already_over", "could_not_ask", "diagnostics")
    class Accepted(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class AlreadyOver(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ALREADY_OVER_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    accepted: CancelResponse.Accepted
    already_over: CancelResponse.AlreadyOver
    could_not_ask: CouldNotAsk
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, accepted: _Optional[_Union[CancelResponse.Accepted, _Mapping]] = ..., already_over: _Optional[_Union[CancelResponse.AlreadyOver, _Mapping]] = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class CleanupRequest(_message.Message):
    __slots__ = ("target", "handle", "key", "what")
    class What(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WHAT_UNSPECIFIED: _ClassVar[CleanupRequest.What]
        WHAT_LEFTOVERS: _ClassVar[CleanupRequest.What]
        WHAT_RECORD: _ClassVar[CleanupRequest.What]
    WHAT_UNSPECIFIED: CleanupRequest.What
    WHAT_LEFTOVERS: CleanupRequest.What
    WHAT_RECORD: CleanupRequest.What
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    target: Target
    handle: Handle
    key: str
    what: CleanupRequest.What
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., key: _Optional[str] = ..., what: _Optional[_Union[CleanupRequest.What, str]] = ...) -> None: ...

class CleanupResponse(_message.Message):
    __slots__ = ("could_not_ask", "diagnostics")
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    could_not_ask: CouldNotAsk
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...

class ReadOutputRequest(_message.Message):
    __slots__ = ("target", "handle", "key", "location", "list", "read")
    class List(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Read(_message.Message):
        __slots__ = ("name", "offset", "version")
        NAME_FIELD_NUMBER: _ClassVar[int]
        OFFSET_FIELD_NUMBER: _ClassVar[int]
        VERSION_FIELD_NUMBER: _ClassVar[int]
        name: str
        offset: int
        version: str
        def __init__(self, name: _Optional[str] = ..., offset: _Optional[int] = ..., version: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    target: Target
    handle: Handle
    key: str
    location: str
    list: ReadOutputRequest.List
    read: ReadOutputRequest.Read
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., handle: _Optional[_Union[Handle, _Mapping]] = ..., key: _Optional[str] = ..., location: _Optional[str] = ..., list: _Optional[_Union[ReadOutputRequest.List, _Mapping]] = ..., read: _Optional[_Union[ReadOutputRequest.Read, _Mapping]] = ...) -> None: ...

class OutputFile(_message.Message):
    __slots__ = ("name", "bytes", "version", "modified_at", "offset")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODIFIED_AT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    name: str
    bytes: int
    version: str
    modified_at: _timestamp_pb2.Timestamp
    offset: int
    def __init__(self, name: _Optional[str] = ..., bytes: _Optional[int] = ..., version: _Optional[str] = ..., modified_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class ReadOutputResponse(_message.Message):
    __slots__ = ("file", "data", "done", "could_not_ask", "diagnostics")
    class Done(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    FILE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    COULD_NOT_ASK_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    file: OutputFile
    data: bytes
    done: ReadOutputResponse.Done
    could_not_ask: CouldNotAsk
    diagnostics: _containers.RepeatedCompositeFieldContainer[Diagnostic]
    def __init__(self, file: _Optional[_Union[OutputFile, _Mapping]] = ..., data: _Optional[bytes] = ..., done: _Optional[_Union[ReadOutputResponse.Done, _Mapping]] = ..., could_not_ask: _Optional[_Union[CouldNotAsk, _Mapping]] = ..., diagnostics: _Optional[_Iterable[_Union[Diagnostic, _Mapping]]] = ...) -> None: ...
