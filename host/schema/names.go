package schema

// ResourceNames are the resources that a step can ask for, as rules name them.
func ResourceNames() []string {
	return []string{"cpu", "memory", "gpu", "gpu_type", "nodes", "disk", "shared_memory"}
}

// EnvironmentNames are the parts of a step's environment, as rules name them.
func EnvironmentNames() []string {
	return []string{"kind", "image", "base_image", "registry", "platform", "python", "dockerfile",
		"requirements", "requirements_file", "source", "override", "allow_large"}
}
