// Package fake is a fake of the Azure services that the flavor talks to, in one
// process: the resource manager's machine learning calls (the vendor's own fake
// servers, behind HTTP), the run history, blobs, a token endpoint and a
// registry's token exchange. It really runs each job's command with bash, once
// for each node.
//
// It forgets everything when it ends, and nothing that it started goes on.
//
// # Behaviours
//
// Source: (api) the vendor's SDK and published API description, (client) the
// vendor's Python client, (doc) its documentation, (assumption) not verified on
// the real service.
//
//	behaviour                                                          source
//	PUT of a new job: 201; of an existing one: 200, tags replaced      api
//	PUT over a job with another content: 400 UserError                 assumption
//	a missing job: 404                                                 api (status), assumption (code)
//	environment, code and compute of a job must exist                  assumption
//	lists: filtered by properties, newest first, pages with nextLink   api (filter, pages), assumption (order)
//	a fresh job is listed late                                         assumption
//	states: Queued, Preparing, Running, Finalizing, Completed, Failed  api (words), assumption (order)
//	cancel: 202 with Location; CancelRequested, Canceled               api
//	cancel of an ended job: 400                                        assumption
//	limits.timeout ends a job as Canceled                              api
//	no room, no image, a preempted node: Failed, a text that says so   assumption
//	the command runs by `bash -c` in a directory of its own            assumption
//	the source of the code asset is in that directory                  doc
//	${{...}} in a command or variable that is no input: refused        assumption
//	./outputs is uploaded; listed by artifacts/prefix/contentinfo      doc (directory), client (path)
//	details: status, times, error, warnings, logFiles                  client
//	user_logs/std_log.txt; std_log_process_N.txt of several nodes      doc (first), assumption (second)
//	a signature of a blob ends: 403                                    api
//	a range behind the end: 416 with the size                          api
//	the file of a node that begins anew is written over                assumption
//	"exited with status code N", negative for a signal                 assumption
//	PyTorch: NODE_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT           doc
//	quota: a warning of a job that waits                               assumption
//	throttling, 5xx, dropped and lost answers, expired credentials     api (codes); see test/cloudfake
package fake
