// Package runs keeps the durable record of every run and says who owns it.
//
// Invariants:
//
//   - a token names at most one run, whoever asks and from how many processes;
//   - a run is changed only through a Claim, and only while the claim's fence is
//     the newest one: a process that was replaced cannot write any more. The one
//     exception is the cancel intent, which any process may store (and which is
//     stored once);
//   - states move along the arrows of the table in state.go and no other; a
//     stored verdict, request, key or handle does not change;
//   - attempt N+1 is stored in the transaction that says that attempt N is over,
//     and never beside a cancel intent;
//   - what must outlive a power cut (submitting, the handle, the cancel intent,
//     the verdict) is committed with synchronous=FULL, everything else with
//     NORMAL: that outlives every death of a process, and what a power cut takes
//     is repeated from the last FULL commit;
//   - an owner lives as long as it holds its OS lock. Owners on another machine
//     or in another pid namespace are never declared dead;
//   - no values of secrets: records hold references (see schema.ModeReference);
//   - the database holds nothing of a run's log: that is package spool's.
//
// A database of a newer stephost is refused, one of an older is migrated. A
// network file system is refused: write-ahead logging does not work on it.
package runs
