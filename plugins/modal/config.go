package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	TokenID        string            `stephost:"token_id"`
	TokenSecret    *pluginsdk.Secret `stephost:"token_secret"`
	Workspace      string            `stephost:"workspace"`
	Environment    string            `stephost:"modal_environment"`
	App            string            `stephost:"app"`
	OutputVolume   string            `stephost:"output_volume"`
	RegistrySecret string            `stephost:"registry_secret"`
	RegistryAuth   string            `stephost:"registry_auth"`
	RegistryLogin  bool              `stephost:"registry_login"`

	// Project is the one of the call; ByProject: App was made of it. See SetProject.
	Project   string
	ByProject bool
}

// Settings are the step's settings.
type Settings struct {
	GPU              string                 `stephost:"modal_gpu"`
	Region           json.RawMessage        `stephost:"region"`
	Cloud            string                 `stephost:"cloud"`
	Timeout          string                 `stephost:"sandbox_timeout"`
	Backend          string                 `stephost:"backend"`
	CPULimit         *float64               `stephost:"cpu_limit"`
	MemoryLimitMiB   *int64                 `stephost:"memory_limit_mib"`
	Volumes          map[string]Volume      `stephost:"volumes"`
	Buckets          map[string]BucketMount `stephost:"cloud_bucket_mounts"`
	Secrets          []string               `stephost:"modal_secrets"`
	Proxy            string                 `stephost:"proxy"`
	BlockNetwork     bool                   `stephost:"block_network"`
	OutboundCIDRs    *[]string              `stephost:"outbound_cidrs"`
	OutboundDomains  *[]string              `stephost:"outbound_domains"`
	Runtime          string                 `stephost:"runtime"`
	IdentityToken    bool                   `stephost:"oidc_identity_token"`
	Nonpreemptible   bool                   `stephost:"nonpreemptible"`
	Verbose          bool                   `stephost:"verbose_logging"`
	ExperimentalOpts map[string]string      `stephost:"experimental_options"`
}

// Volume is one element of volumes.
type Volume struct {
	Name     string  `stephost:"name"`
	ReadOnly bool    `stephost:"read_only"`
	SubPath  *string `stephost:"sub_path"`
	Create   bool    `stephost:"create"`
}

// BucketMount is one element of cloud_bucket_mounts.
type BucketMount struct {
	Bucket         string  `stephost:"bucket"`
	Secret         string  `stephost:"secret"`
	ReadOnly       bool    `stephost:"read_only"`
	RequesterPays  bool    `stephost:"requester_pays"`
	EndpointURL    *string `stephost:"endpoint_url"`
	KeyPrefix      *string `stephost:"key_prefix"`
	OIDCRoleARN    *string `stephost:"oidc_role_arn"`
	ForcePathStyle bool    `stephost:"force_path_style"`
}

// environ reads a variable of the plugin's own environment.
func environ(name string) string { return os.Getenv(name) }

// regions of the setting, which may be one string.
func (set Settings) regions() ([]string, error) {
	if len(set.Region) == 0 || string(set.Region) == "null" {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(set.Region, &list); err == nil {
		return list, nil
	}
	var one string
	if err := json.Unmarshal(set.Region, &one); err != nil {
		return nil, pluginsdk.Config("settings.region", "is neither a region nor a list of regions: %w", err)
	}
	return []string{one}, nil
}

// Limits of a sandbox's life.
const (
	// longest is Modal's limit (https://modal.com/docs/guide/sandboxes, "Timeouts").
	longest = 24 * time.Hour
)

// timeout is the longest life of the sandbox. The SDK's default of five minutes
// would end a training step without a word.
func (set Settings) timeout(d pluginsdk.Deadlines) (time.Duration, error) {
	limit := longest
	if set.Timeout != "" {
		given, err := duration(set.Timeout)
		if err != nil {
			return 0, pluginsdk.Config("settings.sandbox_timeout", "%w", err)
		}
		if given > longest || given < time.Second {
			return 0, pluginsdk.Config("settings.sandbox_timeout", "%s: a sandbox of Modal lives between one second and %s", set.Timeout, longest)
		}
		limit = given
	}
	switch {
	case d.Run == 0:
	case d.Run > longest:
		return 0, pluginsdk.Config("timeouts.run", "%s: Modal ends every sandbox after %s, so give at most that", d.Run, longest)
	default:
		limit = min(limit, d.Run)
	}
	// The API counts in seconds; the host keeps the exact limit.
	return (limit + time.Second - 1).Truncate(time.Second), nil
}

// duration reads a duration, or a number of seconds.
func duration(text string) (time.Duration, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(strings.TrimSpace(text))
}
