package project

import (
	"time"

	"github.com/stephost/stephost/host/manifest"
	"github.com/stephost/stephost/host/schema"

	"github.com/stephost/stephost/host/diag"
)

// ResolveRequest asks for one step as it would be launched.
type ResolveRequest struct {
	// Project may be nil: a step can come from flags alone.
	Project *Project
	// Step names a step of the project; may be empty when Inline is given.
	Step string
	// Inline holds the values of the command line; may be nil.
	Inline *Step
	// Operator is the one that the caller chose; required.
	Operator *Operator
	// Manifest of the operator's flavor. Nil (flavor not registered) checks
	// everything but config, settings, resources and the environment's kind,
	// and is an error at StageLaunch.
	Manifest *manifest.Manifest
	// Stage is StageStep (nothing is resolved) or StageLaunch.
	Stage    schema.Stage
	Sources  *diag.Sources
	Resolver schema.Resolver
}

// Resolved is a step with everything that its launch needs and no secret
// value. It marshals to JSON and back.
type Resolved struct {
	Name string `json:"name"`
	// Project is Project.Name where the step was resolved, for the record: it is
	// not in the definition, so that a token joins its run from a directory that was
	// renamed.
	Project     string `json:"project,omitempty"`
	Pipeline    string `json:"pipeline,omitempty"`
	PipelineRun string `json:"pipeline_run,omitempty"`
	Operator    string `json:"operator"`
	// Argv is the process to run, never empty.
	Argv   []string          `json:"argv"`
	Env    map[string]string `json:"env,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Secrets holds reference templates by name of the environment variable;
	// see ExpandSecret.
	Secrets map[string]string `json:"secrets,omitempty"`
	// SecretConfig and SecretSettings hold reference templates of sensitive
	// attributes; a structured one is JSON text with references in its strings.
	SecretConfig   map[string]string `json:"secret_config,omitempty"`
	SecretSettings map[string]string `json:"secret_settings,omitempty"`
	// Config and Settings are canonical JSON, every attribute present. Nil
	// when a value is known only at launch.
	Config              []byte      `json:"config,omitempty"`
	Settings            []byte      `json:"settings,omitempty"`
	Environment         Environment `json:"environment"`
	Resources           Resources   `json:"resources"`
	Timeouts            Timeouts    `json:"timeouts"`
	Retry               Retry       `json:"retry"`
	AllowVisibleSecrets bool        `json:"allow_visible_secrets,omitempty"`
	// Origins says where each value was written: "settings.volume_size" ->
	// "step train (stephost.hcl:12)".
	Origins map[string]string `json:"origins,omitempty"`
	// Deferred are checks and values that are due at launch.
	Deferred []string `json:"deferred,omitempty"`
}

// Kinds of an environment.
const (
	KindImage     = "image"
	KindDirectory = "directory"
	KindNone      = "none"
)

// Environment is what the step needs around it. Paths are absolute.
type Environment struct {
	// Kind is what the host prepares: image, directory or none.
	Kind             string   `json:"kind"`
	Image            string   `json:"image,omitempty"`
	BaseImage        string   `json:"base_image,omitempty"`
	RegistryPush     string   `json:"registry_push,omitempty"`
	RegistryPull     string   `json:"registry_pull,omitempty"`
	Platform         string   `json:"platform,omitempty"`
	Python           string   `json:"python,omitempty"`
	Dockerfile       string   `json:"dockerfile,omitempty"`
	Requirements     []string `json:"requirements,omitempty"`
	RequirementsFile string   `json:"requirements_file,omitempty"`
	Sources          []Source `json:"sources,omitempty"`
	Override         bool     `json:"override,omitempty"`
	AllowLarge       bool     `json:"allow_large,omitempty"`

	// As written, for the definition: a checkout on another machine lies
	// elsewhere and is still the same step.
	WrittenRequirementsFile string `json:"written_requirements_file,omitempty"`
	WrittenDockerfile       string `json:"written_dockerfile,omitempty"`
}

// Source is one directory (or file) of the step's code.
type Source struct {
	Path    string   `json:"path"`
	Target  string   `json:"target,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// Written is the path as written.
	Written string `json:"written,omitempty"`
}

// Resources that the step asks for; 0 or empty = not asked for.
type Resources struct {
	CPUMillis         int64  `json:"cpu_millis,omitempty"`
	MemoryBytes       int64  `json:"memory_bytes,omitempty"`
	GPU               int64  `json:"gpu,omitempty"`
	Nodes             int64  `json:"nodes,omitempty"`
	DiskBytes         int64  `json:"disk_bytes,omitempty"`
	SharedMemoryBytes int64  `json:"shared_memory_bytes,omitempty"`
	GPUType           string `json:"gpu_type,omitempty"`
}

// Timeouts bound the waits of a run; 0 = not set.
type Timeouts struct {
	Provisioning time.Duration `json:"provisioning,omitempty"`
	Run          time.Duration `json:"run,omitempty"`
	Cancel       time.Duration `json:"cancel,omitempty"`
	Total        time.Duration `json:"total,omitempty"`
	LogDrain     time.Duration `json:"log_drain,omitempty"`
}

// Retry is how many more attempts each class gets; 0 = none.
type Retry struct {
	Preempted int `json:"preempted,omitempty"`
	Capacity  int `json:"capacity,omitempty"`
	System    int `json:"system,omitempty"`
	User      int `json:"user,omitempty"`
}
