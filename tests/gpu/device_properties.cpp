// Prints what cuDNN knows of the GPU at hand as JSON: the test data from which convolution plans are built and checked on
// machines without a GPU (tests/cuda).
#include <cudnn.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char text[1024] = "";
  cudnnGetLastErrorString(text, sizeof text);
  std::fprintf(stderr, "%s: %s: %s\n", what, cudnnGetErrorString(status), text);
  std::exit(1);
}

}  // namespace

int main() {
  cudnnHandle_t handle;
  check(cudnnCreate(&handle), "cudnnCreate");
  cudnnBackendDescriptor_t device;
  check(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &device), "create");
  check(cudnnBackendSetAttribute(device, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle), "handle");
  check(cudnnBackendFinalize(device), "finalize");
  std::int64_t length = 0;
  check(cudnnBackendGetAttribute(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &length, nullptr),
        "length");
  std::string text(std::size_t(length), '\0');
  check(cudnnBackendGetAttribute(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, length, &length,
                                 text.data()),
        "json");
  std::printf("%s\n", text.c_str());
  std::fprintf(stderr, "cuDNN %zu\n", cudnnGetVersion());
}
