// Package fake is a stateful fake of what the flavor `vertex` speaks to, in one
// process: JobService, PersistentResourceService and LoggingServiceV2 on the
// vendor's own gRPC stubs, and the JSON APIs of Cloud Storage, Artifact Registry,
// IAM Credentials, Cloud Quotas and the token endpoint. Jobs really run, as
// local processes.
//
// What it does, and from where that is known:
//
//	behaviour                                                         source
//	a job gets a numeric id from the service; no call changes a job   aiplatform.v1 JobService (there is no update)
//	two creates with the same labels make two jobs                    JobService.CreateCustomJob: no request id
//	fields with behavior REQUIRED must be set, OUTPUT_ONLY may not    google.api.field_behavior of the vendor's descriptors
//	display_name of at most 128 characters, labels of 63              aiplatform.v1 CustomJob; docs: labels
//	another project: PERMISSION_DENIED, whether it exists or not      assumption
//	states QUEUED, PENDING, RUNNING, then an end                      aiplatform.v1 JobState
//	a job starts QUEUED only where there is no room, else PENDING     assumption
//	lists: page_size at most 100, filter, read_mask                   ListCustomJobsRequest; the limit is an assumption
//	lists may show a job late                                         assumption (consistency is not documented)
//	cancel is asynchronous: CANCELLING, then CANCELLED                JobService.CancelCustomJob
//	cancel of an ended job is FAILED_PRECONDITION                     assumption
//	delete of a job that is not over is FAILED_PRECONDITION           assumption
//	SIGTERM, later SIGKILL to the containers of a cancelled job       assumption
//	the first pool has one replica; its end is the job's              docs: distributed training
//	another replica that fails ends the job                           assumption
//	CLUSTER_SPEC, AIP_MODEL_DIR, AIP_CHECKPOINT_DIR,
//	AIP_TENSORBOARD_LOG_DIR                                           docs: distributed training; CustomJobSpec.base_output_directory
//	$(NAME) in values of variables is replaced, "$$" is one "$"       aiplatform.v1 EnvVar
//	the same in command and args                                      assumption (containers run on Kubernetes)
//	more than 100 variables are refused                               aiplatform.v1 ContainerSpec.env
//	buckets are directories below /gcs                                docs: Cloud Storage as a mounted file system
//	error texts of failed jobs                                        public reports, see judge.go of the flavor
//	a limit of time: FAILED with DEADLINE_EXCEEDED                    assumption
//	Spot: FAILED with STOCKOUT                                        docs: use Spot VMs; code and wording are assumptions
//	throttled: RESOURCE_EXHAUSTED with ErrorInfo and RetryInfo        google.rpc error model
//	log entries: resource ml_job with job_id and task_name, stdout
//	INFO, stderr ERROR, the line in json_payload.message              docs: code requirements; the agent's form is an assumption
//	a line that is a JSON object becomes json_payload                 docs: code requirements
//	entries sorted by timestamp, then insert_id; page_size <= 1000    logging.v2 ListLogEntriesRequest, LogEntry.insert_id
//	lines are cut at 256 KiB and made UTF-8                           docs: Logging quotas; where the agent cuts is an assumption
//	entries become readable late and out of order                     assumption
//	ifGenerationMatch=0 creates once, 412 otherwise; lists are
//	strongly consistent                                               Cloud Storage JSON API; docs: consistency
//	access tokens end after an hour; what uses them later is
//	UNAUTHENTICATED                                                   google.rpc, OAuth 2.0
//
// Invariants:
//
//   - a job never starts its containers twice, unless its life says so;
//   - nothing of a job runs once its state is an end;
//   - faults befall calls in the service or on the wire, as package cloudfake
//     has them.
package fake
