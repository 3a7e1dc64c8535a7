#include "datasets/formats/formats.h"

#include "datasets/formats/array_file.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/nrrd.h"
#include "datasets/formats/png.h"
#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using std::filesystem::path;

namespace {

/// One kind of file: how its image and its label values are read.
struct Format {
  const char* ending;
  Image (*image)(const path&, std::int64_t png_channels, Axes);
  StoredLabel (*label)(const path&, Axes);
};

/// The label that a file without a form of its own for labels holds: an image of one channel.
StoredLabel as_label(Image image, const path& file) {
  const engine::Shape s = image.voxels.shape();
  require<DataError>(s[3] == 1, "{}: a label has one value per voxel, this file has {}; split it", file.string(), s[3]);
  return {image.voxels.reshape({s[0], s[1], s[2]}), std::move(image.geometry), {}, std::move(image.remarks)};
}

Image nifti(const path& file, std::int64_t, Axes) { return read_nifti(file); }
Image nrrd(const path& file, std::int64_t, Axes) { return read_nrrd(file); }
Image png(const path& file, std::int64_t channels, Axes) { return read_png(file, channels); }
Image npy(const path& file, std::int64_t, Axes axes) { return image_of_array(read_npy(file), axes, file.string()); }
Image hdf5(const path& file, std::int64_t, Axes axes) {
  return image_of_array(read_hdf5(file, "image"), axes, file.string());
}
template <Image (*read)(const path&, std::int64_t, Axes)>
StoredLabel label(const path& file, Axes axes) {
  return as_label(read(file, 1, axes), file);
}
StoredLabel png_label(const path& file, Axes) { return read_png_label(file); }
StoredLabel hdf5_label(const path& file, Axes axes) {
  return as_label(image_of_array(read_hdf5(file, "label"), axes, file.string()), file);
}

constexpr Format formats[] = {{".nii.gz", nifti, label<nifti>}, {".nii", nifti, label<nifti>}, {".nrrd", nrrd, label<nrrd>},
                              {".nhdr", nrrd, label<nrrd>},     {".png", png, png_label},      {".h5", hdf5, hdf5_label},
                              {".npy", npy, label<npy>}};

const Format* format_of(const path& file) {
  const std::string name = lower(file.filename().string());
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
  return format ? printable(name.substr(0, name.size() - std::string_view(format->ending).size())) : "";
}

bool is_png(const path& file) { return lower(file.extension().string()) == ".png"; }

bool is_array(const path& file) {
  const std::string ending = lower(file.extension().string());
  return ending == ".h5" || ending == ".npy";
}

Image read_image(const path& file, std::int64_t png_channels, Axes axes) {
  return known_format(file).image(file, png_channels, axes);
}

StoredLabel read_label(const path& file, Axes axes) { return known_format(file).label(file, axes); }

}  // namespace sagcl::datasets
