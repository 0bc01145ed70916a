// Command stephost-flavor-sagemaker is the flavor `sagemaker`: it runs a step as
// a training job of Amazon SageMaker.
//
// The job's name is "stephost-" and the attempt's key. SageMaker keeps a name
// until the job is deleted, and this flavor never deletes one, so a second
// creating call of an attempt can only meet the first one's job.
//
// Invariants:
//
//   - Submit makes one CreateTrainingJob, without the SDK's retries, and says
//     REJECTED only after it has looked that no earlier call of the same key had
//     made the job;
//   - Plan and Submit share one function (build), so a plan is what is sent;
//   - a job is adopted only when its tags have this key and this digest;
//   - nothing is held in this process that another one would need: what the
//     process remembers of states and log lines saves calls;
//   - all questions about states go through one budget per login and region.
package main
