#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/check.h"
#include "datasets/formats/nifti.h"
#include "datasets/layouts/layouts.h"
#include "tests/datasets/scratch.h"

// Data sets that tests write file by file.
namespace sagcl::tests {

using namespace sagcl::datasets;
namespace fs = std::filesystem;

/// A folder of images (the voxels tell them apart) and masks that can be written by name.
struct Folder {
  Scratch s;
  void image(const std::string& name, float value = 1) { write(name, Tensor::full({2, 3, 4}, double(value))); }
  void mask(const std::string& name, int value = 1) {
    Tensor m = Tensor::full({2, 3, 4}, value, engine::Dtype::u8);
    m.data<std::uint8_t>()[0] = 0;
    write(name, m);
  }
  void json(const std::string& text) { put(s / "dataset.json", text); }
  Dataset open() const { return open_dataset(s.path()); }
  bool warned(const Dataset& d, const std::string& part) const {
    for (const std::string& text : d.warnings)
      if (text.find(part) != std::string::npos) return true;
    return false;
  }

 private:
  void write(const std::string& name, const Tensor& values) {
    fs::create_directories((s / name).parent_path());
    write_nifti(s / name, values, {});
  }
};

inline std::vector<std::string> ids(const std::vector<Case>& cases) {
  std::vector<std::string> names;
  for (const Case& one : cases) names.push_back(one.id);
  return names;
}
inline bool said(const DatasetReport& report, bool fatal, const std::string& part) {
  for (const Problem& p : report.problems)
    if (p.fatal == fatal && p.text.find(part) != std::string::npos) return true;
  return false;
}

using Ids = std::vector<std::string>;
inline const std::string labels = R"("labels": {"background": 0, "organ": 1})";

}  // namespace sagcl::tests
