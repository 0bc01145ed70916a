package registry

// executesDescriptors: /proc/self/fd/N of an ELF file can be executed, so the
// bytes that were checked are the bytes that run.
const executesDescriptors = true
