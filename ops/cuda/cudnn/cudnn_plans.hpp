#pragma once
#include <cudnn.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/devices/precision.h"
#include "ops/conv_geometry.h"

/// Convolutions as cuDNN's graph API sees them: an operation is described, a heuristic proposes engines, those that are not
/// deterministic or not as precise as asked for are left out, and the rest become plans. Nothing here runs on a GPU: the
/// tests build the same plans from a description of one (`Target::properties`).
namespace sagcl::ops::cuda {

/// BackendError with cuDNN's own text unless `status` is success.
void check(cudnnStatus_t status, const char* what);

/// One descriptor of the graph API, destroyed with its owner.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  cudnnBackendDescriptor_t get() const { return handle_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T>& values) {
    set_raw(name, type, std::int64_t(values.size()), values.data());
    return *this;
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value) {
    set_raw(name, type, 1, &value);
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.get());
  }
  Descriptor& finalize();
  /// Up to `most` values of an attribute.
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most) const {
    std::vector<T> found(static_cast<std::size_t>(most));
    found.resize(std::size_t(std::min(most, get_raw(name, type, most, found.data()))));
    return found;
  }
  std::int64_t get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most,
                       void* values) const;

 private:
  void set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t n, const void* values);
  cudnnBackendDescriptor_t handle_ = nullptr;
};
using SharedDescriptor = std::shared_ptr<Descriptor>;

enum class Pass { forward, data, weight };
std::string to_string(Pass pass);

struct PlanRequest {
  ConvGeometry geometry;
  Pass pass = Pass::forward;
  engine::Precision precision = engine::Precision::fp32;
  bool bias = false;  ///< forward only: y = x * w + b in one pass
  /// "forward fp32 N4 C16 O32 in 8x8x8 ...": names the request in files and messages.
  std::string key() const;
};

/// Names of the tensors in a plan's list of pointers.
enum TensorId : std::int64_t { id_x = 'x', id_w = 'w', id_y = 'y', id_b = 'b', id_product = 'p' };

/// The GPU for which plans are made: the one of a handle, or one that is only described.
struct Target {
  cudnnHandle_t handle = nullptr;
  const Descriptor* properties = nullptr;
};
/// A GPU described by cuDNN's JSON (tests/gpu/device_properties.cpp prints it).
SharedDescriptor describe_gpu(const std::string& json);

struct ConvPlan {
  SharedDescriptor plan;
  std::int64_t workspace = 0;  ///< bytes
  std::string engine;          ///< "eng17{2=0 13=1} tensor-core": cuDNN's number of the engine, its knobs, notes
};

struct PlanLimits {
  int per_list;            ///< plans taken from each of cuDNN's three lists
  std::int64_t workspace;  ///< bytes a plan may need beside its operands
};

/// Plans that are deterministic, of the precision asked for and within the limits: those of heuristic A, best first as it
/// believes, then those that only the fallbacks and then heuristic B know. Empty when cuDNN has none. With `only`, that
/// engine's plan alone, and no other is built. BackendError for a 3D convolution with a cuDNN older than 9.15, whose
/// results in 3D are wrong for some shapes (pytorch/pytorch#163539, #167024).
std::vector<ConvPlan> conv_plans(const PlanRequest& request, const Target& target, const PlanLimits& limits,
                                 const std::string& only = "");

}  // namespace sagcl::ops::cuda
