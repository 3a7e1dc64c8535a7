#include "datasets/formats.h"

#include "datasets/array_file.h"
#include "datasets/nifti.h"
#include "datasets/nrrd.h"
#include "datasets/png.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;
using std::filesystem::path;

namespace {

/// One kind of file: how its image and its label values are read.
struct Format {
  const char* ending;
  Image (*image)(const path&, std::int64_t png_channels, Axes);
  Image (*label)(const path&, Axes);  ///< null: as the image
};

Image nifti(const path& file, std::int64_t, Axes) { return read_nifti(file); }
Image nrrd(const path& file, std::int64_t, Axes) { return read_nrrd(file); }
Image png(const path& file, std::int64_t channels, Axes) { return read_png(file, channels); }
Image png_label(const path& file, Axes) { return {read_png_label(file), {}}; }
Image npy(const path& file, std::int64_t, Axes axes) { return image_of_array(read_npy(file), axes, file.string()); }
Image hdf5(const path& file, std::int64_t, Axes axes) {
  return image_of_array(read_hdf5(file, "image"), axes, file.string());
}
Image hdf5_label(const path& file, Axes axes) { return image_of_array(read_hdf5(file, "label"), axes, file.string()); }

constexpr Format formats[] = {{".nii.gz", nifti, nullptr}, {".nii", nifti, nullptr}, {".nrrd", nrrd, nullptr},
                              {".nhdr", nrrd, nullptr},    {".png", png, png_label}, {".h5", hdf5, hdf5_label},
                              {".npy", npy, nullptr}};

const Format* format_of(const path& file) {
  const std::string name = file.filename().string();
  for (const Format& f : formats)
    if (name.ends_with(f.ending) && name.size() > std::string_view(f.ending).size() && name[0] != '.') return &f;
  return nullptr;
}

const Format& known_format(const path& file) {
  const Format* format = format_of(file);
  require<DataError>(format, "{}: is not read; convert it to one of {}", file.string(), format_names());
  return *format;
}

}  // namespace

std::string format_names() {
  std::string names;
  for (const Format& f : formats) names += (names.empty() ? "" : ", ") + std::string(f.ending);
  return names;
}

std::string case_name(const path& file) {
  const Format* format = format_of(file);
  const std::string name = file.filename().string();
  return format ? name.substr(0, name.size() - std::string_view(format->ending).size()) : "";
}

bool is_png(const path& file) { return file.extension() == ".png"; }

Image read_image(const path& file, std::int64_t png_channels, Axes axes) {
  return known_format(file).image(file, png_channels, axes);
}

Tensor read_label_values(const path& file, Geometry* geometry, Axes axes) {
  const Format& format = known_format(file);
  Image label = format.label ? format.label(file, axes) : format.image(file, 1, axes);
  if (geometry) *geometry = std::move(label.geometry);
  const engine::Shape s = label.voxels.shape();
  if (s.rank() == 3) return label.voxels;
  require<DataError>(s[3] == 1, "{}: a label has one value per voxel, this file has {}; split it", file.string(), s[3]);
  return label.voxels.reshape({s[0], s[1], s[2]});
}

}  // namespace sagcl::datasets
