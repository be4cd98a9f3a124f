#ifndef WHENCE_PREFETCH_H
#define WHENCE_PREFETCH_H

// Brings the line of memory at `address` into the processor's cache, if it can be done without waiting. Any address will do.
static inline void prefetch_line(const void *address) { __builtin_prefetch(address); }

#endif
