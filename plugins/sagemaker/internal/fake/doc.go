// Package fake is a fake of the AWS services that the flavor talks to, in one
// process on the vendor's wire protocols: SageMaker training jobs, CloudWatch
// Logs, S3, STS, ECR, and one call each of IAM and Service Quotas. It really runs
// each job's command as local processes, one for each instance.
//
// It forgets everything when it ends, and nothing that it started goes on.
//
// # Behaviours
//
// Source: (api) the published API description or reference, (doc) the developer
// guide, (assumption) not verified on the real service.
//
//	behaviour                                                        source
//	a name is taken until its job is deleted: ResourceInUse          api (uniqueness), assumption (code)
//	lengths, patterns and numbers of CreateTrainingJob               api
//	describe of a missing job: ValidationException                   assumption ("Requested resource not found.")
//	stop of an ended job: ValidationException                        assumption
//	Starting, Downloading, Training, Uploading, Completed            api
//	no capacity: Starting with a message, then CapacityError         doc (message), assumption (order)
//	stop: SIGTERM, 120 s, SIGKILL (shorter here: -grace)             api
//	Stopping, Stopped; MaxRuntimeExceeded                            api
//	spot: Interrupted, Starting, Training again                      api (words), assumption (order)
//	an instance that fails without spot: InternalServerError         assumption
//	AlgorithmError: failure file, ", exit code: N"                   doc (failure file), assumption (text)
//	image that cannot be had: ClientError                            doc
//	InternalServerError                                              doc
//	outputs: JOB/output/model.tar.gz, JOB/output/model/ (NONE)       api
//	streams JOB/algo-N-TIME, both outputs in one                     doc (name), assumption (TIME orders)
//	a line arrives late; some behind later ones                      doc (delay), assumption (order)
//	an event has at most 256 KB (1 MB since April 2025)              doc (size), assumption (that it cuts there)
//	a forward token stays the same at the end                        api
//	a line that arrives behind a token's place is not given by it    assumption
//	Search shows a fresh job late                                    assumption
//	pages of ListTrainingJobs, ListTags, Search, logs                api
//	throttling, 5xx, dropped and lost answers, expired credentials   api (codes); see test/cloudfake
package fake
