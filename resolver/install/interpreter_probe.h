#pragma once
// What an interpreter is asked about itself.

namespace dae::resolver {

// A program for `python -I -c`; prints one line of JSON. It runs on anything from 2.7 up, so that an old interpreter is
// named with its version rather than as broken. The C library is that of the running process: glibc says its version
// (PEP 600), musl is known by the loader that the executable names, which says it (PEP 656). A first argument replaces
// the executable whose ELF header is read.
extern const char* const kInterpreterProbe;

}  // namespace dae::resolver
