// Package kube is the flavor's access to one namespace of one cluster: typed
// calls for the few kinds that it uses, with a scheme of its own. The ready-made
// clientset links every API group and makes the binary half as large again.
//
// Invariants:
//
//   - reads are quorum reads: no call sets a resource version but Watch;
//   - a creating call is made once; only an answer that says "not now" (429) is
//     followed by another one;
//   - an error says whether nothing was sent, whether it is a refusal, or that
//     nobody could be asked (errors.go);
//   - every call but Watch and Log is bounded by the operator's request_timeout.
package kube
