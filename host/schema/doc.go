// Package schema is what a flavor's manifest says about its attributes, and
// the judgement of values against it.
//
// Invariants:
//
//   - nothing runs, and nothing outside of the given values is read, but by
//     the functions env, file and secret through the caller's Resolver;
//   - unknown names are refused at every depth of nested objects (cty's own
//     conversion drops them without a word), with the nearest known name;
//   - integers and decimals keep every digit;
//   - unknown values are accepted while validating and judged at launch; what
//     was put off is listed;
//   - the value of a sensitive attribute appears in no diagnostic; a literal in
//     one is refused;
//   - all diagnostics come at once, in a stable order;
//   - no import of gRPC or go-plugin.
package schema
