#include "tests/support/op_cases.h"

namespace sagcl::tests {

void add_vector_cases(std::vector<OpCase>&) {}

}  // namespace sagcl::tests
