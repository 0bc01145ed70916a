package pluginsdk

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stephost/stephost/internal/shim"
)

// What flavors that run images need alike. An image that stephost built carries
// a static init process, the shim, as first element of argv: it reaps processes
// and forwards signals, joins values that the backend cannot carry, sets the
// variables of several nodes, and leaves the exit code where the backend reads
// it. A plugin tells it what to do by the environment variables Shim*, which the
// step never sees. A given image runs without it; RequireShim refuses by name
// what would need it.

// ShimPath is the shim's place in a built image.
const ShimPath = shim.Path

// Environment variables for the shim; see their comments in the order in which
// a plugin needs them.
const (
	// ShimRankFrom: where the node finds its rank: one of the ShimRank*
	// constants. Leave it out for one node.
	ShimRankFrom = shim.RankFrom
	// ShimNodes: the number of nodes. Needed with ShimRankKubernetes only.
	ShimNodes = shim.Nodes
	// ShimMasterAddr: host name of node 0. Needed with ShimRankKubernetes only.
	ShimMasterAddr = shim.MasterAddr
	// ShimMasterPort: port on node 0; 29500 when it is left out.
	ShimMasterPort = shim.MasterPort
	// ShimFailureFile: a file that gets a text when the step fails, and
	// ParseExit reads that text out of the backend's own. SageMaker:
	// /opt/ml/output/failure, whose first 1024 bytes become FailureReason
	// (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html).
	// Kubernetes needs none: it reports the code itself.
	ShimFailureFile = shim.FailureFile
	// ShimExitFile: the same, written at every end.
	ShimExitFile = shim.ExitFile
	// ShimOutputDir: a directory that the shim makes; the step finds it as
	// STEPHOST_OUTPUT_DIR. SageMaker: /opt/ml/model.
	ShimOutputDir = shim.OutputDir
	// ShimOutputDirFrom, ShimOutputURIFrom: the name of a variable that the
	// backend sets, whose value the step finds as STEPHOST_OUTPUT_DIR or
	// STEPHOST_OUTPUT_URI. Vertex: AIP_MODEL_DIR holds a URI.
	ShimOutputDirFrom = shim.OutputDirFrom
	ShimOutputURIFrom = shim.OutputURIFrom
)

// Values of ShimRankFrom.
const (
	// ShimRankKubernetes: JOB_COMPLETION_INDEX of an Indexed Job.
	ShimRankKubernetes = shim.RankKubernetes
	// ShimRankSageMaker: /opt/ml/input/config/resourceconfig.json.
	ShimRankSageMaker = shim.RankSageMaker
	// ShimRankVertex: CLUSTER_SPEC.
	ShimRankVertex = shim.RankVertex
	// ShimRankAzureML: the variables of distribution type PyTorch with one
	// process on each instance.
	ShimRankAzureML = shim.RankAzureML
)

// ContainerArgv is the argv to give to the backend: the step's own, unchanged,
// behind the shim where the image has one. It is the entry point together with
// its arguments (Kubernetes: command, with args empty), so that an ENTRYPOINT of
// a base image never comes between. A fresh slice.
func ContainerArgv(s *Step) []string {
	if HasShim(s) {
		return append([]string{ShimPath}, s.Argv...)
	}
	return slices.Clone(s.Argv)
}

// HasShim says whether the step's image carries the shim.
func HasShim(s *Step) bool { return s.Environment.Image != nil && s.Environment.Image.Shim }

// RequireShim is nil when the image carries the shim, and else the error that
// refuses what would need it, for example RequireShim(s, "nodes > 1").
func RequireShim(s *Step, what string) error {
	if HasShim(s) {
		return nil
	}
	return Config("environment.image", "%s needs stephost's init process, which a given image does not have: "+
		"write base_image instead of image, and stephost builds an image on it that has it", what)
}

// SplitEnv makes an environment fit a backend that carries values of at most
// most bytes: longer ones are packed into parts that the shim joins again
// (SageMaker: 512 characters a value and 100 variables,
// https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html).
// Variables named in also are packed whatever their length: names that the
// backend refuses, or values that it would rewrite. packed says whether the
// result needs the shim: then call RequireShim. The parts of a secret are as
// secret as the value; pack env and secrets together and treat all parts as
// secret if any is. The same input gives the same result.
func SplitEnv(env map[string]string, most int, also ...string) (fit map[string]string, packed bool, err error) {
	fit, long := make(map[string]string, len(env)), map[string]string{}
	for name, value := range env {
		if len(value) > most || slices.Contains(also, name) {
			long[name] = value
		} else {
			fit[name] = value
		}
	}
	parts, err := shim.Pack(long, most)
	if err != nil {
		return nil, false, fmt.Errorf("pluginsdk: SplitEnv: %w", err)
	}
	for name, value := range parts {
		fit[name] = value
	}
	return fit, len(parts) > 0, nil
}

// ArgvEnv carries the step's argv in the environment, for a backend that limits
// or rewrites arguments: give the shim no arguments then, and add the variable
// to the environment before SplitEnv. Needs the shim.
func ArgvEnv(s *Step) (name, value string, err error) {
	text, err := json.Marshal(s.Argv)
	return shim.Argv, string(text), err
}

// ParseExit reads how the step ended out of a text of the backend that holds
// what the shim wrote to ShimFailureFile or ShimExitFile. signal is "" or a name
// such as "SIGKILL"; code is 128 + its number then. A code of 125 is the shim's
// own: the step never started.
func ParseExit(text string) (code int, signal string, ok bool) { return shim.ParseExit(text) }
