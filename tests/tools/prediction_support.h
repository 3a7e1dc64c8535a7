#pragma once
#include "datasets/formats/nifti.h"
#include "datasets/formats/png.h"
#include "tests/support/golden.h"
#include "tests/tools/tools_support.h"

namespace sagcl::tests {

using Names = std::vector<std::string>;

inline const fs::path readers = fs::path(SAGCL_SOURCE_DIR) / "tests/datasets/golden/readers";

inline void write_plane(const fs::path& file, bool colour = false) {
  fs::create_directories(file.parent_path());
  Tensor pixels = Tensor::empty(colour ? engine::Shape{20, 24, 3} : engine::Shape{20, 24}, engine::Dtype::u8);
  for (std::int64_t i = 0; i < pixels.size(); ++i) pixels.data<std::uint8_t>()[i] = std::uint8_t(i * 37 % 251);
  datasets::write_png(file, pixels);
}

inline Tensor some_volume(const engine::Shape& shape) { return random_tensor(shape, 3, engine::Dtype::f32); }

inline void write_volume(const fs::path& file, std::int64_t channels = 1) {
  fs::create_directories(file.parent_path());
  datasets::write_nifti(file, some_volume({17, 9, 20, channels}), {});
}

}  // namespace sagcl::tests
