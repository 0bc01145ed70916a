// Package manifest finds, reads and checks flavor manifests (flavor.hcl).
//
// Invariants:
//
//   - a flavor is never run to be known: its manifest lies beside its file or
//     inside, between marker lines that carry length and hash;
//   - a manifest is accepted only when it passes its own check, with all
//     problems reported at once;
//   - copies of a manifest are byte for byte the same, else the flavor is
//     refused;
//   - reading is bounded: MaxManifest for a manifest, MaxFile for the file
//     that holds it, streamed;
//   - a manifest's texts are literal: they mean the same on every machine;
//   - no import of gRPC or go-plugin.
package manifest
