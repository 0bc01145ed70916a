// Package home says where stephost keeps its files.
//
// Invariants:
//
//   - it names places; nothing is opened or created but by Make;
//   - everything below the home has mode 0700 (directories) or tighter;
//   - deleting the home loses records and caches, never a remote job: a given
//     run token finds that again.
package home
