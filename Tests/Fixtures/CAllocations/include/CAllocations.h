// Counts what a program asks the heap for: its own `malloc` and the like stand before the C library's, which do the work.
#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

// Begins to count, on all threads.
void allocations_begin(void);

// Ends it, and says how often memory was asked for since.
long allocations_end(void);

#endif
