// What this machine can do at most, measured: the figures that a kernel's are shares of. They move with the machine's
// neighbours, so they are read in the same run.
#pragma once

#include "base/thread_pool.h"

namespace pingti::bench {

// Bytes a second of a streaming read of `bytes` by all workers, each its own half; best of `repeats`.
double ReadBandwidth(ThreadPool& pool, const void* data, size_t bytes, int repeats);

// 8-bit multiplications and additions a second with all workers, by the widest dot product that this CPU has and
// PINGTI_ISA allows; 0 where it is not known.
double Int8Peak(ThreadPool& pool);

}  // namespace pingti::bench
