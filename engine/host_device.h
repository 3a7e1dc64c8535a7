#pragma once

/// Before a function: one for the CPU and, under nvcc, for the GPU too.
#ifdef __CUDACC__
#define SAGCL_BOTH __host__ __device__
#else
#define SAGCL_BOTH
#endif
