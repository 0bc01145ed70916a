// Package budget keeps what a plugin asks a service below a number of calls a
// minute. Quotas are counted by account or project, which others share.
//
// Invariants:
//
//   - a call is waited for, or it is told when it may be made (Throttled with a
//     time); none is dropped in silence;
//   - whoever cannot wait long enough takes nothing from the budget;
//   - of several limits for one place the lowest counts (Shared).
package budget
