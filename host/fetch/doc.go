// Package fetch brings what a run left into a directory of this machine.
//
// Invariants:
//
//   - nothing is written outside of the directory: names are a plugin's word, and
//     links in the directory may lead anywhere (os.Root refuses both);
//   - a file has its name only when all of it is there: it grows under another
//     name (.stephost-part-...), which says of what run, output and version it is,
//     so that a later call goes on behind what is there and never joins bytes of
//     two versions;
//   - a file that stands there already is kept if it is certainly the same (size
//     and time), and otherwise replaced only when that was asked for;
//   - one file that cannot be had does not keep the others away. A full disk and
//     the end of the context do.
package fetch
