// Package fault gives tests a flavor that misbehaves on request. The plugin is a
// real process over real gRPC, and its "backend" is a process of its own that
// really runs the step's command, so that both survive what a test kills.
//
// There are three flavors, by what the backend can promise: fault-key (the key
// is the job's name, a second creation answers "exists"), fault-search (jobs are
// found by label only, maybe late) and fault-none (no way to find a job again).
//
// Invariants:
//
//   - a fault is injected where a real backend would have it: in the backend, on
//     the wire or by SIGKILL of the plugin, never by a switch in the host;
//   - whether a step ran, and how often, is told by the step's own witness file
//     and by the backend's count of starts, never by stephost's records;
//   - nothing here is shipped.
//
// # Behaviours
//
// Source says where a behaviour is known from: (doc) a vendor's documentation,
// (src) an SDK's source, (assumption) not verified on a real service.
//
//	behaviour            knob                         what it plays                                      source
//	reply lost           Faults.ReplyLost             accepted, the answer never arrives                 doc: any HTTP service
//	half made            Faults.HalfMade              inert object exists, needs a second act            doc: Kubernetes suspended Job
//	lands late           Faults.LandsAfterMS          the old request is carried out after the error     assumption
//	throttled            Faults.SubmitThrottled,      429 with a Retry-After                             doc: AWS, GCP, Azure
//	                     Weather.ThrottledMS
//	no capacity          Faults.SubmitCapacity        refused, nothing created                           doc: SageMaker CapacityError
//	internal error       Faults.SubmitError           500, nothing created (the caller cannot know)      doc: any HTTP service
//	plugin dies          Faults.KillPlugin            SIGKILL before or after the creation               -
//	late listing         Faults.ListedAfterMS         lists do not show a fresh job                      assumption (Vertex: undocumented)
//	other digest         Faults.OtherDigest           the key is in use by another request               doc: ResourceInUse
//	slow provisioning    Faults.QueuedMS,             waits before the start                             doc: all
//	                     Faults.ProvisioningMS
//	preempted            Faults.PreemptAfterMS        the machine is taken away                          doc: spot, node drain
//	restarted            Faults.RestartAfterMS,       the backend starts it again by itself              doc: YARN, Vertex, Job controller
//	                     Faults.Restarts
//	exit code            Faults.ExitCode              of a noop job                                      -
//	deleted by TTL       Faults.DeleteAfterMS         the record goes, the name is free again            doc: ttlSecondsAfterFinished
//	deleted behind       Backend.DeleteBehind         somebody deletes the job                           doc: DeleteTrainingJob
//	slow cancel          Faults.CancelMS              accepted, ends later                               doc: SageMaker 120 s
//	cancel never ends    Faults.CancelNever           accepted, nothing happens unless forced            assumption
//	flood                Faults.FloodLines            many lines before the step's own                   -
//	late logs            Faults.LogsLateMS            shown only after the end                           doc: CloudWatch delay
//	rotated logs         Faults.RotateBytes           only the newest bytes are kept                     doc: kubelet containerLogMaxSize
//	log store down       Faults.LogsErrors            500 for some reads                                 doc: any HTTP service
//	small pages          Faults.LogsChunk             few bytes per read                                 doc: page limits
//	unreachable          Weather.UnreachableMS        connections are dropped                            doc: any HTTP service
//	expired credentials  Weather.Unauthorized         401                                                doc: all
//	wrong scope          Weather.Account              another account answers, without our jobs          doc: AWS_PROFILE, kubectl context
//	backend restarted    Backend.Restart              running jobs are broken, ended ones are known      assumption
package fault
