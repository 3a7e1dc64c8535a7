#include "tools/learn/exercises/exercises.h"

using namespace sagcl;

int main() {
  constexpr int C = 3, H = 4, W = 5;
  if (exercises::address_channels_first(0, 0, 0, H, W) == -1)
    return exercises::unfinished("01_address.cpp", "write the address of (c, h, w)");
  learn::Claims claims;
  int next = 0;
  bool in_order = true;
  for (int c = 0; c < C; ++c)
    for (int h = 0; h < H; ++h)
      for (int w = 0; w < W; ++w) in_order = in_order && exercises::address_channels_first(c, h, w, H, W) == next++;
  claims.check(in_order, "channel by channel, row by row the addresses are 0, 1, 2, …");
  return claims.exit_code();
}
