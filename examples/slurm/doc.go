// Command stephost-flavor-slurm is the flavor `slurm`: it runs a step as a batch
// job of a Slurm cluster. It is the worked example of docs/writing-a-flavor.md.
//
// The job's name is the attempt's key, and its comment names run and attempt, so
// that it can be found by either. What Slurm forgets some minutes after a job's
// end (its exit code) and what it never had (its log) lies in a directory that
// the nodes share.
//
// Invariants:
//
//   - Submit starts sbatch once, and calls a refusal a refusal only where
//     slurmctld itself refused;
//   - Slurm's word about a job goes before that of the record; the record alone
//     counts only when Slurm was asked and knows the job no longer;
//   - the step's arguments and variables travel as arguments and variables: no
//     text of a person is ever part of a script;
//   - a requeue is off: Slurm never starts a step a second time.
package main
