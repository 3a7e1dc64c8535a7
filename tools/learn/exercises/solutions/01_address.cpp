#include "tools/learn/exercises/exercises.h"

namespace sagcl::exercises {

int address_channels_first(int c, int h, int w, int H, int W) { return (c * H + h) * W + w; }

}  // namespace sagcl::exercises
