#include "engine/operation_name.h"

namespace sagcl::engine {
namespace {

thread_local const char* current_operation = "outside any operation";

}  // namespace

OperationName::OperationName(const char* name) : outer_(current_operation), range_(name) { current_operation = name; }
OperationName::~OperationName() { current_operation = outer_; }
const char* OperationName::current() { return current_operation; }

}  // namespace sagcl::engine
