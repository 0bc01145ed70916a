// Package fake is a stateful fake of Modal on the vendor's own gRPC server stubs:
// the control plane (ModalClient) and the machines' service (TaskCommandRouter),
// in one process. Sandboxes of both backends really run, as local processes;
// images of a registry on this machine are really pulled.
//
// What it does, and from where that is known. (sdk) is the code of Modal's Go SDK
// 0.11.1, (proto) the comments of its messages, (doc) modal.com/docs.
//
//	behaviour                                                         source
//	x-modal-token-id and -secret with each call, x-modal-auth-token
//	with unary ones, from AuthTokenGet, a JWT with exp                sdk client.go, auth_token_manager.go
//	a token that is not known or revoked: UNAUTHENTICATED             sdk isAuthDenied; the code is an assumption
//	throttled: any status with RPCRetryPolicy in its details          sdk getServerRetryPolicy; the status is an assumption
//	apps, secrets, volumes, environments by name: NOT_FOUND, or made  sdk app.go, secret.go, volume.go, environment.go
//	AppList: apps by ID, name and state, stopped ones too             proto; Python client, modal app list
//	no environment name is the workspace's default                    sdk getImageBuilderVersion; assumption for its name
//	CREATE_OVERWRITE_IF_EXISTS keeps a secret's ID                    assumption
//	an image is one per recipe; a build is waited for with a stream   sdk image.go
//	the registry's answer is in the exception of a failed build       sdk image.go; the text is an assumption
//	ENTRYPOINT of an image comes before the arguments                 doc: existing images; "ENTRYPOINT []" takes it away
//	WORKDIR and ENV of an image hold                                  assumption
//	IDs: sb- and 22 letters and digits (older), any other (newer)     sdk getSandboxVersion
//	a GPU on the newer backend is refused                             sdk buildSandboxCreateV2RequestProto; INVALID_ARGUMENT is an assumption
//	a name is taken in its app while its sandbox runs: ALREADY_EXISTS sdk Create, SandboxCreateParams.Name
//	names are unique over both backends                               assumption
//	the newer backend answers a create when there is a machine        sdk CHANGELOG 0.11.0
//	the older one at once; the sandbox is queued                      sdk waitForScheduling
//	no machine: RESOURCE_EXHAUSTED                                    sdk CHANGELOG 0.11.0; assumption for the code on the wire
//	secret_sources in order, the last one wins                        proto SandboxCreateV2Request
//	secret_ids beside secret_sources must be the same IDs             proto SandboxCreateV2Request
//	SandboxWait answers after its timeout, with a result or without   sdk Wait
//	terminate: existing_result of an ended sandbox                    proto SandboxTerminateResponse
//	a terminated sandbox: TERMINATED; out of time: TIMEOUT            sdk getReturnCode
//	SIGTERM, later SIGKILL to the process                             assumption
//	INIT_FAILURE, INTERNAL_FAILURE, MEMORY_MANAGER_EVICTION           proto GenericStatus; the texts are assumptions
//	preempted: TERMINATED, with a text that says so                   assumption
//	lists by tags, newest first, pages by before_timestamp            sdk List
//	include_finished lists ended sandboxes, for ever                  proto; how long is an assumption
//	a list with an app's ID shows that app alone                      sdk List
//	SandboxListV2 lists both backends, SandboxList the older one      sdk ExperimentalList
//	lists show a sandbox late                                         assumption
//	a name leads to a running sandbox at once; include_terminated to
//	the last one, on the newer backend only                           sdk FromName, proto SandboxGetFromNameRequest
//	a task ID when there is a machine, started_at when it runs        sdk waitForTaskID, proto TaskInfo
//	older: output as batches behind last_entry_id, eof at the end     sdk outputStreamSb
//	a stream ends after its timeout                                   sdk outputStreamSb
//	output as text: bytes that are no UTF-8 are replaced              proto TaskLogs.data is a string
//	newer: output as bytes from an offset, from the machine           sdk SandboxStdioReadV2
//	only the most recent output is kept there                         sdk sandboxStdioReader
//	the machine forgets an ended sandbox after a while: NOT_FOUND     assumption
//	AppCountLogs, AppFetchLogs: stored lines by time                  sdk logs.go
//	volumes are committed when the sandbox is over                    doc: volumes (background commits)
//
// Invariants:
//
//   - a sandbox starts its process once;
//   - nothing of it runs once it has a result;
//   - faults befall calls in the service or on the wire, as package cloudfake
//     has them.
package fake
