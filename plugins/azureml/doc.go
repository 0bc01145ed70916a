// Command stephost-flavor-azureml is the flavor `azureml`: it runs a step as a
// command job of Azure Machine Learning.
//
// Jobs, environments and computes are read and made through the vendor's SDK of
// the resource manager; reasons and logs come from the run history, the data
// plane of the workspace, for which there is no SDK (history.go).
//
// Invariants:
//
//   - Plan and Submit share one function (build), so a plan is what runs.
//   - Submit looks before it creates (GET, then PUT), because a PUT over a job is
//     an update. It makes one PUT, and nothing retries it.
//   - Key and request digest are in the job's properties: tags are replaced by
//     any PUT. A job is never deleted, so a key is taken for ever.
//   - The command is one string for a shell and for AzureML's own templates; no
//     argument reaches either of them as anything but text (argv.go).
//   - Nothing is held in this process that another one would need.
package main
