package shim

// Path of the init process in an image.
const Path = "/.stephost/init"

// The environment variables by which a plugin tells the init process what to
// do. None of them reaches the step.
const (
	prefix = "STEPHOST_SHIM_"

	// RankFrom says where this node's place among the nodes is found: one of
	// the Rank* constants. Unset: there is one node.
	RankFrom = prefix + "RANK_FROM"
	// Nodes is the number of nodes, where the source does not say it.
	Nodes = prefix + "NODES"
	// MasterAddr and MasterPort are where node 0 is reached, where the source
	// does not say it.
	MasterAddr = prefix + "MASTER_ADDR"
	MasterPort = prefix + "MASTER_PORT"
	// Packed counts the variables PackedPart0, 1, ... that hold what Pack made.
	Packed     = prefix + "PACKED"
	PackedPart = prefix + "PACKED_"
	// Argv is the step's argv as JSON, for a backend that cannot carry it as
	// arguments. Used only when the init process gets none.
	Argv = prefix + "ARGV"
	// FailureFile gets FailureText when the step fails; ExitFile gets it always.
	FailureFile = prefix + "FAILURE_FILE"
	ExitFile    = prefix + "EXIT_FILE"
	// OutputDir is made, and given to the step as STEPHOST_OUTPUT_DIR.
	OutputDir = prefix + "OUTPUT_DIR"
	// OutputDirFrom and OutputURIFrom name a variable of the backend whose
	// value becomes STEPHOST_OUTPUT_DIR or STEPHOST_OUTPUT_URI.
	OutputDirFrom = prefix + "OUTPUT_DIR_FROM"
	OutputURIFrom = prefix + "OUTPUT_URI_FROM"
)

// Values of RankFrom.
const (
	// RankKubernetes: JOB_COMPLETION_INDEX of an Indexed Job. Needs Nodes and,
	// for more than one node, MasterAddr.
	// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
	RankKubernetes = "kubernetes"
	// RankSageMaker: /opt/ml/input/config/resourceconfig.json.
	// https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
	RankSageMaker = "sagemaker"
	// RankVertex: CLUSTER_SPEC; worker pool 0 comes first.
	// https://cloud.google.com/vertex-ai/docs/training/distributed-training
	RankVertex = "vertex"
	// RankAzureML: NODE_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT as a job of
	// distribution type PyTorch with process_count_per_instance 1 gets them.
	// https://learn.microsoft.com/azure/machine-learning/how-to-train-distributed-gpu
	RankAzureML = "azureml"
)

// DefaultMasterPort is torchrun's default.
const DefaultMasterPort = "29500"

// Exit codes of the init process itself. They are those of a shell, with 125 as
// everywhere in stephost.
const (
	ExitShim          = 125
	ExitNotExecutable = 126
	ExitNotFound      = 127
	// ExitSignal + n: the step was ended by signal n.
	ExitSignal = 128
)
