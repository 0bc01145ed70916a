// Package project reads what people write about their work: stephost.hcl with
// its variables, locals, defaults, operators and steps, and the flags of the
// command line, and makes of them the one step that is to be launched.
//
// Invariants:
//
//   - Load and Resolve run nothing and write nothing; env(), file() and
//     secret() stay unknown until Resolve is asked for StageLaunch;
//   - precedence is command line > step > operator > defaults > flavor; a value
//     replaces the whole attribute of a lower level, env, labels and secrets
//     merge by key, null means "not set";
//   - every value knows where it was written, and every error points there;
//   - nothing that was written is dropped: what a flavor does not honour, what
//     cannot apply and what nobody knows is an error;
//   - sizes, counts and durations are exact: nothing is rounded;
//   - secret values are never part of a Resolved: it holds reference templates,
//     and a value that cannot be kept as a reference is refused;
//   - a loaded Project is not changed by anyone and is safe to share.
package project
