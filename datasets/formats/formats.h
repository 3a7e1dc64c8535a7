#pragma once
#include <filesystem>
#include <string>

#include "datasets/label_rule.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// The endings of the files that are read, for messages: ".nii.gz, .nii, ...".
std::string format_names();

/// The name without its ending, in either case of letters, as printable() makes it; empty for a file of another kind and for
/// hidden files (also macOS's "._name" copies).
std::string case_name(const std::filesystem::path& file);

bool is_png(const std::filesystem::path& file);
bool is_array(const std::filesystem::path& file);  ///< plane or volume, and where it lies is unknown: .h5, .npy

/// Reads an image by the ending of its name, f32 [D, H, W, C]: NIfTI, NRRD, PNG, NumPy, the data set "image" of HDF5.
/// `png_channels` as in read_png; `axes` for files without geometry. DataError for other endings, and as the readers.
Image read_image(const std::filesystem::path& file, std::int64_t png_channels = 0, Axes axes = Axes::zyx);

/// Reads stored label values before any rule, f32 or i32 [D, H, W]: as read_image, but the data set "label" of HDF5, and
/// palette indices of PNG.
StoredLabel read_label(const std::filesystem::path& file, Axes axes = Axes::zyx);

}  // namespace sagcl::datasets
