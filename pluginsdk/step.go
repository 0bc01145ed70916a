package pluginsdk

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Step is what to run. It belongs to one call: do not keep it, and do not use
// it from several goroutines while Warn may be called.
type Step struct {
	RunID string
	// Token names the run: any string of 1 to 256 bytes. Use it as a label,
	// never as a name.
	Token string
	// Key is the idempotency key of this attempt: 26 characters [a-z2-7]. Use it
	// unchanged as the name, label or tag of the job.
	Key string
	// Attempt counts from 1.
	Attempt int

	Pipeline, PipelineRun, Name string
	Labels                      map[string]string

	// Argv is the process to run, at least one element. It must reach the
	// process unchanged: never joined, never through a shell, escaped where the
	// backend would rewrite it.
	Argv []string
	Env  map[string]string
	// Secrets are environment variables that are secret. They are there in
	// Prepare, Submit and Launch only.
	Secrets map[string]Secret

	Environment Environment
	Resources   Resources
	Deadlines   Deadlines

	// RunDir is a directory on the host's machine that belongs to this run and
	// is removed with its record. It may be "" or absent on another machine.
	RunDir string
	// AllowVisibleSecrets: the person accepted that readers of the job can see
	// the secrets.
	AllowVisibleSecrets bool

	// Operator is the operator's name, for messages.
	Operator string
	// Project is the name of the project that the step belongs to, "" where there is
	// none: any text of at most 256 bytes on one line, perhaps the name of a
	// directory. Fit it to what the backend takes. See ProjectSetter for calls
	// without a Step.
	Project string
	// Scope is the stored scope; empty before it was resolved.
	Scope Scope
	// Prepared is what Prepare returned (Submit only).
	Prepared []byte
	// RequestDigest is made by the host (Submit only). Store it with the job and
	// compare it when a job is found under Key; never compute it.
	RequestDigest string

	// Stdout and Stderr feed the run's log (Launcher only, else nil). Both may
	// be written from several goroutines.
	Stdout, Stderr io.Writer

	config, settings *operatorv1.Values
	warnings         []*Error
}

// Environment is what the host prepared; at most one field is set.
type Environment struct {
	Image     *Image
	Directory *Directory
	Raw       *Raw
}

// Image is set where the manifest says environment = ["image"].
type Image struct {
	// Reference is by digest.
	Reference string
	// Shim: built by stephost, carries /.stephost/init.
	Shim bool
}

// Directory is set where the manifest says environment = ["directory"].
type Directory struct {
	// Path is the attempt's own work directory; the plugin may write there.
	Path string
	// Venv is a virtual environment, or "".
	Venv string
	// Python is absolute, or "".
	Python string
}

// Raw is set where the manifest says environment = ["none"].
type Raw struct {
	Requirements []string
	Source       []SourceRoot
}

// SourceRoot is one directory of the step's source, already filtered.
type SourceRoot struct {
	// Path is a read-only, content-addressed copy on the host's machine.
	Path string
	// Target is the place below the step's working directory; "" = itself.
	Target string
	// Digest is the SHA-256 of the tree in hex.
	Digest string
}

// Resources that the step asks for; 0 or "" = not asked for.
type Resources struct {
	// CPUMillis is in thousandths of a core.
	CPUMillis   int64
	MemoryBytes int64
	// GPU counts per node.
	GPU int64
	// GPUType is a canonical name, for example "a10g".
	GPUType                             string
	Nodes, DiskBytes, SharedMemoryBytes int64
}

// Deadlines are limits to push down to the backend where it can keep them;
// 0 = none. The host keeps them too.
type Deadlines struct{ Provisioning, Run time.Duration }

// DecodeSettings reads the step's settings into a pointer to a struct with
// `stephost:"name"` tags. See DecodeConfig for the rules.
func (s *Step) DecodeSettings(into any) error { return decodeValues(s.settings, "settings", into) }

// DecodeConfig reads the operator's config into a pointer to a struct with
// `stephost:"name"` tags. Remote gets its config decoded already; Launcher
// calls this.
//
// Every attribute of the schema needs a field and every tagged field an
// attribute: a mismatch is an error. null gives a nil pointer or the zero
// value. Integers are exact; one that does not fit is an error. A string
// decodes into time.Duration as "90s". Sensitive attributes decode into Secret.
func (s *Step) DecodeConfig(into any) error { return decodeValues(s.config, "config", into) }

// Warn adds a warning for the person who launched the step. path is as in
// Config. It is shown with the answer of the call that got this Step, and does
// nothing in Launch.
func (s *Step) Warn(path, format string, args ...any) {
	s.warnings = append(s.warnings, &Error{Warning: true, Attribute: splitPath(path), Summary: fmt.Sprintf(format, args...)})
}

// WarnAll passes findings on that Warn, the function, made.
func (s *Step) WarnAll(findings []error) {
	for _, f := range findings {
		if e := find(f); e != nil {
			s.Warn(strings.Join(e.Attribute, "."), "%s", e.Error())
		} else if f != nil {
			s.Warn("", "%s", f.Error())
		}
	}
}

// Title says in at most most characters where the step belongs, for lists that
// people read: "digits/Nightly 7/train".
func (s *Step) Title(most int) string {
	var parts []string
	for _, part := range []string{s.Pipeline, s.PipelineRun, s.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	title := []rune(strings.Join(parts, "/"))
	return string(title[:min(len(title), most)])
}

// stepOf copies what the host sent, so that author code cannot change a
// message that gRPC still holds.
func stepOf(p *operatorv1.Step, t *operatorv1.Target) *Step {
	if p == nil {
		return nil
	}
	s := &Step{
		RunID: p.GetRunId(), Token: p.GetRunToken(), Key: p.GetKey(), Attempt: int(p.GetAttempt()),
		Pipeline: p.GetPipeline(), PipelineRun: p.GetPipelineRun(), Name: p.GetName(),
		Labels: copyMap(p.GetLabels()), Argv: slices.Clone(p.GetArgv()), Env: copyMap(p.GetEnv()),
		Secrets: make(map[string]Secret, len(p.GetSecrets())), RunDir: p.GetRunDir(),
		AllowVisibleSecrets: p.GetAllowVisibleSecrets(), Operator: t.GetOperator(), Project: t.GetProject(), Scope: scopeOf(t.GetScope()),
		config: t.GetConfig(), settings: p.GetSettings(),
	}
	for name, v := range p.GetSecrets() {
		s.Secrets[name] = NewSecret(v.GetValue())
	}
	switch k := p.GetEnvironment().GetKind().(type) {
	case *operatorv1.Environment_Image_:
		s.Environment.Image = &Image{Reference: k.Image.GetReference(), Shim: k.Image.GetShim()}
	case *operatorv1.Environment_Directory_:
		s.Environment.Directory = &Directory{Path: k.Directory.GetPath(), Venv: k.Directory.GetVenv(), Python: k.Directory.GetPython()}
	case *operatorv1.Environment_Raw_:
		raw := &Raw{Requirements: slices.Clone(k.Raw.GetRequirements())}
		for _, r := range k.Raw.GetSource() {
			raw.Source = append(raw.Source, SourceRoot{Path: r.GetPath(), Target: r.GetTarget(), Digest: r.GetDigest()})
		}
		s.Environment.Raw = raw
	}
	r := p.GetResources()
	s.Resources = Resources{
		CPUMillis: r.GetCpuMillis(), MemoryBytes: r.GetMemoryBytes(), GPU: r.GetGpu(), GPUType: r.GetGpuType(),
		Nodes: r.GetNodes(), DiskBytes: r.GetDiskBytes(), SharedMemoryBytes: r.GetSharedMemoryBytes(),
	}
	s.Deadlines = Deadlines{Provisioning: p.GetDeadlines().GetProvisioning().AsDuration(), Run: p.GetDeadlines().GetRun().AsDuration()}
	return s
}

func copyMap(m map[string]string) map[string]string {
	c := make(map[string]string, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
