#include "datasets/formats/nifti_fields.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "datasets/formats/numbers.h"
#include "engine/error.h"

namespace sagcl::datasets {

using namespace std::literals;

const NiftiVersion nifti_1 = {.number = 1,
                              .bytes = 348,
                              .magic = "n+1\0"sv,
                              .pair = "ni1\0"sv,
                              .magic_at = {344, 's'},
                              .size = {0, 'i'},
                              .dim = {40, 'h'},
                              .intent = {56, 'f'},
                              .intent_code = {68, 'h'},
                              .datatype = {70, 'h'},
                              .bitpix = {72, 'h'},
                              .pixdim = {76, 'f'},
                              .offset = {108, 'f'},
                              .slope = {112, 'f'},
                              .intercept = {116, 'f'},
                              .units = {123, 'B'},
                              .display = {124, 'f'},
                              .qform = {252, 'h'},
                              .sform = {254, 'h'},
                              .quatern = {256, 'f'},
                              .srow = {280, 'f'},
                              .intent_name = {328, 's'}};
const NiftiVersion nifti_2 = {.number = 2,
                              .bytes = 540,
                              .magic = "n+2\0\r\n\x1a\n"sv,
                              .pair = "ni2\0\r\n\x1a\n"sv,
                              .magic_at = {4, 's'},
                              .size = {0, 'i'},
                              .dim = {16, 'q'},
                              .intent = {80, 'd'},
                              .intent_code = {504, 'i'},
                              .datatype = {12, 'h'},
                              .bitpix = {14, 'h'},
                              .pixdim = {104, 'd'},
                              .offset = {168, 'q'},
                              .slope = {176, 'd'},
                              .intercept = {184, 'd'},
                              .units = {500, 'i'},
                              .display = {192, 'd'},
                              .qform = {344, 'i'},
                              .sform = {348, 'i'},
                              .quatern = {352, 'd'},
                              .srow = {400, 'd'},
                              .intent_name = {508, 's'}};

namespace {

/// Calls f(T) for the type of a field.
template <class F>
auto with_type(char type, F&& f) {
  switch (type) {
    case 'B': return f(std::uint8_t());
    case 'h': return f(std::int16_t());
    case 'i': return f(std::int32_t());
    case 'q': return f(std::int64_t());
    case 'f': return f(float());
    default: return f(double());
  }
}

}  // namespace

const NiftiVersion* nifti_version(std::string_view header, bool& swapped) {
  for (const NiftiVersion* version : {&nifti_1, &nifti_2})
    for (const bool other : {false, true})
      if (header.size() >= 4 && std::size_t(stored_number<std::uint32_t>(header.data(), other)) == version->bytes) {
        swapped = other;
        return version;
      }
  return nullptr;
}

std::int64_t NiftiFields::whole(NiftiField f, std::size_t i) const {
  return with_type(f.type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) return std::int64_t(stored_number<T>(p_ + f.at + i * sizeof(T), swapped_));
    else return std::int64_t(0);
  });
}

double NiftiFields::number(NiftiField f, std::size_t i) const {
  return with_type(f.type,
                   [&](auto zero) { return double(stored_number<decltype(zero)>(p_ + f.at + i * sizeof zero, swapped_)); });
}

double NiftiFields::finite(NiftiField f, std::size_t i, const char* what, const std::string& name) const {
  const double value = number(f, i);
  engine::require<engine::DataError>(
      std::isfinite(value), "{}: the header's {} is {}; repair it with nifti_tool -mod_hdr or convert the file again", name,
      what, value);
  return value;
}

void NiftiFields::set(NiftiField f, std::size_t i, double value) {
  with_type(f.type, [&](auto zero) {
    zero = decltype(zero)(value);
    char raw[sizeof zero];
    std::memcpy(raw, &zero, sizeof raw);
    if (swapped_) std::reverse(raw, raw + sizeof raw);
    std::memcpy(p_ + f.at + i * sizeof raw, raw, sizeof raw);
  });
}

void NiftiFields::clear(NiftiField f, std::size_t bytes) { std::memset(p_ + f.at, 0, bytes); }

}  // namespace sagcl::datasets
