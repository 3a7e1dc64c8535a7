#pragma once
// What both kinds of emulated blocks share. A part of emulator.h.

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

namespace emulator {

enum class Order { forward, backward, shuffled };

}  // namespace emulator
