package cli

// How the commands of the host program are called, and what the lists of commands say
// of them: the front has them too, and hands them over.
const (
	planUse   = "plan [STEP] [flags] [-- COMMAND [ARG...]]"
	planShort = "Show what a launch would send, without sending it"

	buildUse   = "build [STEP] [flags]"
	buildShort = "Build and push a step's image, without launching"

	launchUse   = "launch [STEP] [flags] [-- COMMAND [ARG...]]"
	launchShort = "Run a step and wait for its end"

	doctorUse   = "doctor [OPERATOR]"
	doctorShort = "Say what would fail, before it does"

	runUse   = "run COMMAND"
	runShort = "See and steer runs"

	flavorInitUse   = "init NAME"
	flavorInitShort = "Begin a flavor of your own"

	flavorTestUse   = "test PLUGIN"
	flavorTestShort = "Check a plugin against the contract"

	deleteAlias = "rm"

	flavorDeleteUse   = "delete NAME[@VERSION]"
	flavorDeleteShort = "Forget a flavor and remove its implementation"

	operatorDeleteUse   = "delete NAME"
	operatorDeleteShort = "Delete a stored operator"
)
