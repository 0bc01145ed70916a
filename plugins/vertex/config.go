package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/stephost/stephost/plugins/vertex/internal/gcp"
	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	Project            string            `stephost:"project"`
	Region             string            `stephost:"region"`
	ServiceAccountPath string            `stephost:"service_account_path"`
	Impersonate        string            `stephost:"impersonate_service_account"`
	BucketName         string            `stephost:"bucket_name"`
	Network            string            `stephost:"network"`
	ReservedIPRanges   json.RawMessage   `stephost:"reserved_ip_ranges"`
	EncryptionKey      string            `stephost:"encryption_spec_key_name"`
	Endpoints          map[string]string `stephost:"endpoints"`
	CallsPerMinute     int               `stephost:"max_calls_per_minute"`
	LogCallsPerMinute  int               `stephost:"max_log_calls_per_minute"`
}

// Settings are the step's settings.
type Settings struct {
	MachineType         string               `stephost:"machine_type"`
	AcceleratorType     string               `stephost:"accelerator_type"`
	AcceleratorCount    *int32               `stephost:"accelerator_count"`
	GPUPartitionSize    string               `stephost:"gpu_partition_size"`
	TPUTopology         string               `stephost:"tpu_topology"`
	BootDiskSizeGB      int32                `stephost:"boot_disk_size_gb"`
	BootDiskType        string               `stephost:"boot_disk_type"`
	ServiceAccount      string               `stephost:"service_account"`
	PersistentResource  string               `stephost:"persistent_resource_id"`
	Strategy            string               `stephost:"scheduling_strategy"`
	MaxWait             string               `stephost:"max_wait_duration"`
	ReservationAffinity *ReservationAffinity `stephost:"reservation_affinity"`
	NFSMounts           []NFSMount           `stephost:"nfs_mounts"`
	Tensorboard         string               `stephost:"tensorboard"`
	Experiment          string               `stephost:"experiment"`
	ExperimentRun       string               `stephost:"experiment_run"`
	WebAccess           bool                 `stephost:"enable_web_access"`
	DashboardAccess     bool                 `stephost:"enable_dashboard_access"`
	JobLabels           map[string]string    `stephost:"job_labels"`
	Additional          json.RawMessage      `stephost:"additional_training_job_args"`
}

// ReservationAffinity is the setting of that name.
type ReservationAffinity struct {
	Type   string   `stephost:"type"`
	Key    string   `stephost:"key"`
	Values []string `stephost:"values"`
}

// NFSMount is one element of nfs_mounts.
type NFSMount struct {
	Server     string `stephost:"server"`
	Path       string `stephost:"path"`
	MountPoint string `stephost:"mount_point"`
}

// environ reads a variable of the plugin's own environment.
func environ(name string) string { return os.Getenv(name) }

// projectVariables name the project where the config does not, in the order in
// which Google's own libraries and command line look.
func projectVariables() []string {
	return []string{"GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"}
}

// project is the project of the config, of the credentials file that it names,
// or of the environment. It asks nobody: a project ID is unique in the world and
// never given away again, so that it is as good as the number.
func (v *vertex) project(c Config) (string, error) {
	if c.Project != "" {
		return c.Project, nil
	}
	if c.ServiceAccountPath != "" {
		if id, err := gcp.ProjectOfFile(c.ServiceAccountPath); err == nil && id != "" {
			return id, nil
		}
	}
	for _, name := range projectVariables() {
		if id := v.environ(name); id != "" {
			return id, nil
		}
	}
	if path := v.environ(gcp.CredentialsVariable); path != "" {
		if id, err := gcp.ProjectOfFile(path); err == nil && id != "" {
			return id, nil
		}
	}
	return "", pluginsdk.Config("config.project", "no project is given, and neither the credentials nor %s name one", strings.Join(projectVariables(), " or "))
}

// parent is the place of a job, in the words of the API.
func parent(project, region string) string {
	return "projects/" + project + "/locations/" + region
}

// ranges are the names of reserved_ip_ranges, which may be one string with
// commas, as other tools write it.
func (c Config) ranges() ([]string, error) {
	if len(c.ReservedIPRanges) == 0 || string(c.ReservedIPRanges) == "null" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(c.ReservedIPRanges, &list); err == nil {
		return list, nil
	}
	var text string
	if err := json.Unmarshal(c.ReservedIPRanges, &text); err != nil {
		return nil, pluginsdk.Config("config.reserved_ip_ranges", "is neither a list of names nor one string: %w", err)
	}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, name)
		}
	}
	return list, nil
}

// bucket is the bucket of the config and the folder in it, without slashes at
// its ends.
func (c Config) bucket() (bucket, folder string) {
	bucket, folder, _ = strings.Cut(strings.TrimPrefix(c.BucketName, "gs://"), "/")
	return bucket, strings.Trim(folder, "/")
}

// object is the name of an object below the config's folder.
func (c Config) object(name string) string {
	if _, folder := c.bucket(); folder != "" {
		return folder + "/" + name
	}
	return name
}

// outputs is where a job of key leaves its outputs: the bucket and the object
// names' common beginning, without a slash at the end.
func (c Config) outputs(key string) (bucket, prefix string) {
	bucket, _ = c.bucket()
	return bucket, c.object("stephost/outputs/" + key)
}
