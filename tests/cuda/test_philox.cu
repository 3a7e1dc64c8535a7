// Our random words are those of cuRAND's Philox generator, whose device code is compiled for the host here.
#define QUALIFIERS static inline __host__ __device__
#include <curand_kernel.h>

#include <cstdio>

#include "engine/philox.h"

int main() {
  int different = 0;
  for (unsigned long long seed : {0ull, 42ull, 0x123456789abcdefull})
    for (unsigned stream : {0u, 7u, 4000000000u})
      for (unsigned long long block : {0ull, 2ull, 5000000000ull}) {
        curandStatePhilox4_32_10_t state;
        curand_init(seed, stream, 4 * block, &state);
        const uint4 theirs = curand4(&state);
        const sagcl::engine::RandomKey key{unsigned(seed), unsigned(seed >> 32), stream, 0};
        const unsigned words[4] = {theirs.x, theirs.y, theirs.z, theirs.w};
        for (int lane = 0; lane < 4; ++lane) different += key.word(4 * block + lane) != words[lane];
      }
  std::printf("%d of 108 words differ from cuRAND's\n", different);
  return different != 0;
}
