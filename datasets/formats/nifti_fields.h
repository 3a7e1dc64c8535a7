#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sagcl::datasets {

/// Where a field lies in a header, and its type as in Python's struct: B, h, i, q integers, f, d real numbers.
struct NiftiField {
  std::size_t at;
  char type;
};

/// The two versions of the header (nifti1.h, nifti2.h): the same fields at other places.
struct NiftiVersion {
  int number;
  std::size_t bytes;       ///< of the header
  std::string_view magic;  ///< of a file that also holds the voxels
  std::string_view pair;   ///< of the header of a .hdr/.img pair
  NiftiField magic_at, size, dim, intent, intent_code, datatype, bitpix, pixdim, offset, slope, intercept, units, display,
      qform, sform, quatern, srow, intent_name;
  std::size_t first_voxel() const { return bytes + 4; }  ///< earliest; four bytes announce extensions
};
extern const NiftiVersion nifti_1, nifti_2;

/// The version and byte order that the header's first number, its own size, says; null if it is neither 348 nor 540.
const NiftiVersion* nifti_version(std::string_view header, bool& swapped);

/// Reads and writes the numbers of a header in its byte order. `i` counts the elements of a field that is a list.
class NiftiFields {
 public:
  NiftiFields(char* header, const NiftiVersion& version, bool swapped) : p_(header), version_(version), swapped_(swapped) {}
  const NiftiVersion& version() const { return version_; }
  bool swapped() const { return swapped_; }

  std::int64_t whole(NiftiField f, std::size_t i = 0) const;
  double number(NiftiField f, std::size_t i = 0) const;  ///< of any type, as it is
  /// A number that must be finite; DataError that calls it `what` otherwise.
  double finite(NiftiField f, std::size_t i, const char* what, const std::string& name) const;
  void set(NiftiField f, std::size_t i, double value);
  void clear(NiftiField f, std::size_t bytes);

 private:
  char* p_;
  const NiftiVersion& version_;
  bool swapped_;
};

}  // namespace sagcl::datasets
