package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// Config is the operator's config; flavor.hcl explains it.
type Config struct {
	SubscriptionID           string            `stephost:"subscription_id"`
	ResourceGroup            string            `stephost:"resource_group"`
	WorkspaceName            string            `stephost:"workspace_name"`
	TenantID                 string            `stephost:"tenant_id"`
	ServicePrincipalID       string            `stephost:"service_principal_id"`
	ServicePrincipalPassword pluginsdk.Secret  `stephost:"service_principal_password"`
	Cloud                    string            `stephost:"cloud"`
	Endpoints                map[string]string `stephost:"endpoints"`
	MaxCallsPerMinute        int               `stephost:"max_calls_per_minute"`
	LogSettle                time.Duration     `stephost:"log_settle"`
}

// Settings are the step's settings.
type Settings struct {
	Mode               string            `stephost:"mode"`
	ComputeName        string            `stephost:"compute_name"`
	Create             bool              `stephost:"create"`
	Size               string            `stephost:"size"`
	Tier               string            `stephost:"tier"`
	Location           string            `stephost:"location"`
	MinInstances       *int32            `stephost:"min_instances"`
	MaxInstances       *int32            `stephost:"max_instances"`
	IdleScaledown      *int32            `stephost:"idle_time_before_scaledown"`
	IdleShutdown       *int32            `stephost:"idle_time_before_shutdown_minutes"`
	EnvironmentName    string            `stephost:"environment_name"`
	ExperimentName     string            `stephost:"experiment_name"`
	DisplayName        string            `stephost:"display_name"`
	Description        string            `stephost:"description"`
	Tags               map[string]string `stephost:"tags"`
	Identity           string            `stephost:"identity"`
	IdentityClientID   string            `stephost:"identity_client_id"`
	IdentityObjectID   string            `stephost:"identity_object_id"`
	IdentityResourceID string            `stephost:"identity_resource_id"`
	DockerArgs         string            `stephost:"docker_args"`
	ShmSize            string            `stephost:"shm_size"`
	Additional         json.RawMessage   `stephost:"additional_job_args"`
}

// workspace is the resource ID of the workspace.
func (c Config) workspace() string {
	return "/subscriptions/" + c.SubscriptionID + "/resourceGroups/" + c.ResourceGroup +
		"/providers/Microsoft.MachineLearningServices/workspaces/" + c.WorkspaceName
}

// endpoint is the address of a service that the config names, or "".
func (c Config) endpoint(service string) string { return strings.TrimSuffix(c.Endpoints[service], "/") }

// studio is the page of a job.
func (c Config) studio(job string) string {
	host := map[string]string{"usgovernment": "ml.azure.us", "china": "studio.ml.azure.cn"}[c.Cloud]
	if host == "" {
		host = "ml.azure.com"
	}
	return "https://" + host + "/runs/" + job + "?wsid=" + c.workspace()
}
