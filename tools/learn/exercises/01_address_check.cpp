#include "tools/learn/exercises/exercises.h"

using namespace sagcl;

int main() try {
  constexpr int C = 3, H = 4, W = 5;
  if (exercises::address_channels_first(0, 0, 0, H, W) == -1)
    return exercises::unfinished("01_address.cpp", "write the address of (c, h, w)");
  learn::Claims claims;
  for (int c = 0, next = 0; c < C; ++c)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w, ++next) {
        const int yours = exercises::address_channels_first(c, h, w, H, W);
        if (yours == next) continue;
        claims.check(false, "in [{}, {}, {}] (c {}, h {}, w {}) lies at {}, you say {}", C, H, W, c, h, w, next, yours);
        return claims.exit_code();
      }
  claims.check(true, "channel by channel, row by row the addresses are 0, 1, 2, …");
  return claims.exit_code();
} catch (const std::exception& e) { return exercises::threw(e); }
