package manifest

// ReservedNames are names that attributes may not take, with "_": flags of
// `operator register` and `launch`, blocks and attributes of an operator, and
// the variables of conditions. One list for both kinds of attributes: they
// share one name space.
func ReservedNames() []string {
	return []string{
		// Flags of every command.
		"chdir", "color", "debug", "file", "help", "no_color", "output", "quiet", "verbose", "version", "yes",
		// Flags of operator register, update and launch.
		"again", "default", "detach", "dry_run", "first", "flavor", "flavor_version", "force", "name", "on_term",
		"online", "offline", "operator", "pipeline", "pipeline_run", "result_file", "run_name", "run_token", "set",
		"replace", "step", "step_name", "unsafe_store", "unset", "var", "var_file",
		// A step's own words.
		"argv", "command", "env", "env_file", "environment", "label", "labels", "resources", "retry", "secret",
		"retry_capacity", "retry_preempted", "retry_system", "retry_user",
		"secrets", "settings", "setting", "timeout", "timeout_cancel", "timeout_log_drain", "timeout_provisioning", "timeout_run", "timeout_total",
		"timeouts", "allow_visible_secrets",
		// The environment.
		"allow_large", "base_image", "dockerfile", "exclude", "image", "override", "platform", "python", "registry",
		"registry_pull", "registry_push", "requirement", "requirements", "requirements_file", "source",
		// Resources.
		"cpu", "disk", "gpu", "gpu_type", "memory", "nodes", "shared_memory",
		// Variables of conditions.
		"config", "given", "value",
	}
}
