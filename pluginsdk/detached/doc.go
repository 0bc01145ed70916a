// Package detached is what flavors share whose steps run as processes on the
// launching machine, apart from plugin and host: the step itself (local), or the
// program that submits it and stays as long as it runs (spark-submit in client
// mode).
//
// A step belongs to a runner (package runner), which is the plugin's own binary in
// a session of its own. So it outlives plugin and host, and both find it again by
// its key or its run token in a state directory (package jobdir), also from an
// empty STEPHOST_HOME.
//
// A flavor calls RunnerMain before anything else of its main, makes a runner.Spec
// of a step, and hands the rest on to Jobs, which has the methods of a
// pluginsdk.Remote with a state directory in place of a config.
//
// Invariants:
//
//   - Submit is idempotent on the key: any number of calls give one process.
//   - Nothing is held in this process that another one would need.
//   - A verdict is never made of "could not look".
package detached
