#include "engine/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/devices/device_registry.h"

namespace sagcl::engine {

Tensor::Tensor(const Shape& shape, Dtype dtype, Device device, CachingAllocator& allocator)
    : shape_(shape), size_(shape.size()), dtype_(dtype), device_(device) {
  buffer_ = std::make_shared<Buffer>(allocator, bytes());
}

Tensor::Tensor(const Shape& shape, Dtype dtype, std::shared_ptr<Buffer> buffer)
    : buffer_(std::move(buffer)), shape_(shape), size_(shape.size()), dtype_(dtype) {}

Tensor Tensor::empty(const Shape& shape, Dtype dtype, Device device) { return {shape, dtype, device, allocator(device)}; }

Tensor Tensor::staging(const Shape& shape, Dtype dtype, Device reader) {
  return {shape, dtype, Device::cpu(), pinned_allocator(reader)};
}

Tensor Tensor::borrowed(const Shape& shape, Dtype dtype, std::shared_ptr<const void> lender, void* data) {
  const std::size_t bytes = std::size_t(shape.size()) * bytes_of(dtype);
  return {shape, dtype, std::make_shared<Buffer>(std::move(lender), data, bytes)};
}

Tensor Tensor::zeros(const Shape& shape, Dtype dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  runtime(device).zero(t.bytes_begin(), t.bytes());
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, Dtype dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  runtime(device).fill(t.bytes_begin(), value, dtype, t.size());
  return t;
}

template <class T>
Tensor Tensor::of(const Shape& shape, const std::vector<T>& values, Device device) {
  require(shape.size() == std::int64_t(values.size()), "a tensor of shape {} needs {} values, got {}", shape, shape.size(),
          values.size());
  Tensor t = empty(shape, dtype_of<T>, device);
  runtime(device).copy_from_host(t.bytes_begin(), values.data(), t.bytes());
  return t;
}
template Tensor Tensor::of(const Shape&, const std::vector<float>&, Device);
template Tensor Tensor::of(const Shape&, const std::vector<double>&, Device);
template Tensor Tensor::of(const Shape&, const std::vector<std::int32_t>&, Device);
template Tensor Tensor::of(const Shape&, const std::vector<std::uint8_t>&, Device);

void* Tensor::raw(Dtype wanted) const {
  require<UsageError>(defined(), "an undefined tensor has no elements");
  require<DtypeError>(wanted == dtype_, "the tensor of shape {} holds {}, asked for {}", shape_, dtype_, wanted);
  return buffer_->data();
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const void* source = raw(dtype_of<T>);
  std::vector<T> values(static_cast<std::size_t>(size_));
  runtime(device_).copy_to_host(values.data(), source, bytes());
  return values;
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<bf16> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;

std::vector<double> Tensor::to_doubles() const {
  return visit_any(dtype_, [&]<class T>(Type<T>) {
    const std::vector<T> values = to_vector<T>();
    return std::vector<double>(values.begin(), values.end());
  });
}

double Tensor::item() const {
  require(size_ == 1 && defined(), "item() needs exactly one element, the tensor has shape {}", shape_);
  return to_doubles()[0];
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape_, dtype_, device_);
  runtime(device_).copy_within(t.bytes_begin(), bytes_begin(), bytes());
  return t;
}

Tensor Tensor::to(Device device) const {
  if (device == device_) return *this;
  Tensor t = empty(shape_, dtype_, device);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  const Tensor host = to(Device::cpu());
  Tensor t = empty(shape_, dtype);
  visit_any(dtype_, [&]<class From>(Type<From>) {
    visit_any(dtype, [&]<class To>(Type<To>) {
      std::transform(host.data<From>(), host.data<From>() + size_, t.data<To>(), [](From v) { return To(v); });
    });
  });
  return t.to(device_);
}

Tensor Tensor::reshape(const Shape& shape) const {
  require(shape.size() == size_, "reshape: {} has {} elements, {} has {}", shape_, size_, shape, shape.size());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::part(std::int64_t first, const Shape& shape) const {
  require<UsageError>(defined() && device_.is_cpu(), "part: the tensor must lie on the CPU");
  require(first >= 0 && first + shape.size() <= size_, "part: {} from element {} on does not lie in {}", shape, first,
          shape_);
  return borrowed(shape, dtype_, buffer_, static_cast<char*>(bytes_begin()) + std::size_t(first) * bytes_of(dtype_));
}

void Tensor::copy_from(const Tensor& source) {
  require(source.shape_ == shape_, "copy: {} into {}", source.shape_, shape_);
  require<DtypeError>(source.dtype_ == dtype_, "copy: {} into {}", source.dtype_, dtype_);
  void* to = bytes_begin();
  const void* from = source.bytes_begin();
  if (source.device_ == device_) return runtime(device_).copy_within(to, from, bytes());
  if (source.device_.is_cpu()) return runtime(device_).copy_from_host(to, from, bytes());
  if (device_.is_cpu()) return runtime(source.device_).copy_to_host(to, from, bytes());
  copy_from(source.to(Device::cpu()));  // between two accelerators, through the host
}

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "undefined tensor";
  const std::vector<double> values = t.to_doubles();
  double low = INFINITY, high = -INFINITY, sum = 0;
  std::int64_t nans = 0, infinities = 0;
  for (double v : values) {
    if (std::isnan(v)) {
      ++nans;
      continue;
    }
    if (std::isinf(v)) {
      ++infinities;
      continue;
    }
    low = std::min(low, v), high = std::max(high, v), sum += v;
  }
  const double finite = double(values.size()) - double(nans + infinities);
  std::string text = fmt::format("tensor {} {} on {}: min {:.6g} max {:.6g} mean {:.6g}, {} NaN, {} Inf", t.dtype(),
                                 t.shape(), t.device(), low, high, finite ? sum / finite : 0, nans, infinities);
  if (t.size() <= 16) {
    text += " =";
    for (double v : values) text += fmt::format(" {:.6g}", v);
  }
  return text;
}

}  // namespace sagcl::engine
