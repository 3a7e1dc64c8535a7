#include "ops/cuda/cudnn/cudnn_plans.hpp"
#include "ops/cuda/runtime/stream.h"

namespace sagcl::ops::cuda {

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  if (status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) fail_out_of_memory(what);
  char text[1024] = "";
  cudnnGetLastErrorString(text, sizeof text);
  engine::fail<engine::BackendError>("{}: {}: {}", what, cudnnGetErrorString(status), text);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &handle_), "cuDNN descriptor");
}

Descriptor::~Descriptor() {
  if (handle_) cudnnBackendDestroyDescriptor(handle_);
}

Descriptor& Descriptor::finalize() {
  check(cudnnBackendFinalize(handle_), "cuDNN finalize");
  return *this;
}

void Descriptor::set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t n,
                         const void* values) {
  check(cudnnBackendSetAttribute(handle_, name, type, n, values), "cuDNN attribute");
}

std::int64_t Descriptor::get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most,
                                 void* values) const {
  std::int64_t n = 0;
  check(cudnnBackendGetAttribute(handle_, name, type, most, &n, values), "cuDNN attribute");
  return n;
}

SharedDescriptor describe_gpu(const std::string& json) {
  auto properties = std::make_shared<Descriptor>(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties->set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::vector<char>(json.begin(), json.end()));
  properties->finalize();
  return properties;
}

}  // namespace sagcl::ops::cuda
