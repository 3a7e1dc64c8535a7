#pragma once
#include <memory>
#include <vector>

#include "engine/devices/allocator.h"
#include "engine/devices/buffer.h"
#include "engine/place.h"
#include "engine/shape.h"

namespace sagcl::engine {

/// A dense, row-major, channels-last array on one device. Copying a Tensor shares its memory; clone() copies it.
///
/// Activations are [N, D, H, W, C]; an image is a volume with D = 1. Convolution weights are [O, Kd, Kh, Kw, C].
class Tensor {
 public:
  Tensor() = default;
  static Tensor empty(const Shape& shape, Dtype dtype = Dtype::f32, Device device = Device::cpu());
  static Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32, Device device = Device::cpu());
  static Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::f32, Device device = Device::cpu());
  /// On the CPU, uninitialised, where an Upload to `reader` finds it without a detour; for the CPU as empty().
  static Tensor staging(const Shape& shape, Dtype dtype, Device reader);
  /// On the CPU, of elements that lie at `data` as long as `lender` lives.
  static Tensor borrowed(const Shape& shape, Dtype dtype, std::shared_ptr<const void> lender, void* data);
  template <class T>
  static Tensor of(const Shape& shape, const std::vector<T>& values, Device device = Device::cpu());
  static Tensor empty_like(const Tensor& t) { return empty(t.shape(), t.dtype(), t.device()); }
  static Tensor zeros_like(const Tensor& t) { return zeros(t.shape(), t.dtype(), t.device()); }

  bool defined() const { return buffer_ != nullptr; }
  /// True when its memory may be overwritten in place.
  bool sole_owner() const { return buffer_.use_count() == 1 && !buffer_->borrowed(); }
  bool is_borrowed() const { return buffer_ && buffer_->borrowed(); }
  bool shares_memory_with(const Tensor& t) const { return buffer_ == t.buffer_; }
  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return std::size_t(size_) * bytes_of(dtype_); }
  Dtype dtype() const { return dtype_; }
  Device device() const { return device_; }

  /// The elements; DtypeError if T is not the tensor's type. On CUDA a device pointer.
  template <class T>
  T* data() {
    return static_cast<T*>(raw(dtype_of<T>));
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(raw(dtype_of<T>));
  }
  void* bytes_begin() const { return buffer_ ? buffer_->data() : nullptr; }

  double item() const;  ///< the value of a one-element tensor
  template <class T>
  std::vector<T> to_vector() const;        ///< all elements on the host; DtypeError as for data<T>()
  std::vector<double> to_doubles() const;  ///< all elements on the host, widened
  Tensor clone() const;
  Tensor to(Device device) const;                             ///< shares memory when it already lives there
  Tensor to(Dtype dtype) const;                               ///< converts on the host side of the device; shares when equal
  Tensor reshape(const Shape& shape) const;                   ///< shares memory; the number of elements must agree
  Tensor part(std::int64_t first, const Shape& shape) const;  ///< elements from `first` on; shares memory, on the CPU
  void copy_from(const Tensor& source);                       ///< same shape and dtype, any device

 private:
  Tensor(const Shape& shape, Dtype dtype, Device device, CachingAllocator& allocator);
  Tensor(const Shape& shape, Dtype dtype, std::shared_ptr<Buffer> buffer);
  void* raw(Dtype wanted) const;
  std::shared_ptr<Buffer> buffer_;
  Shape shape_;
  std::int64_t size_ = 0;
  Dtype dtype_ = Dtype::f32;
  Device device_;
};

/// "tensor f32 [2, 3] on cpu: min 0 max 1 mean 0.5, 0 NaN, 0 Inf" and, for few elements, the values.
std::string to_string(const Tensor& t);

}  // namespace sagcl::engine
