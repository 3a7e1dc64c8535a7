#include "tools/export/masks.h"

#include <algorithm>

#include "datasets/formats/formats.h"
#include "engine/files/atomic_file.h"
#include "tools/evaluate/evaluation.h"
#include "tools/evaluate/mask_folder.h"
#include "tools/export/seg_nrrd.h"
#include "tools/programs/program.h"

namespace sagcl::tools {

namespace fs = std::filesystem;
using engine::MissingInput;
using engine::require;

Masks find_masks(const fs::path& source) {
  const fs::path given = fs::absolute(source).lexically_normal();
  const bool one = fs::is_regular_file(given), run = fs::exists(given / "config.toml");
  const fs::path folder = one ? given.parent_path() : run ? given / "predictions" : given;
  require<MissingInput>(!run || fs::is_directory(folder),
                        "{}: this run has no predictions; give a folder of masks, as sagcl-predict writes them",
                        source.string());
  Masks masks;
  if (one) masks.files[datasets::case_name(given)] = source;
  else masks.files = image_files(folder);
  require<MissingInput>(!masks.files.empty(), "{}: no masks here; they must end in one of {}", source.string(),
                        datasets::format_names());
  if (const fs::path figures = folder.parent_path() / "evaluation.json";
      folder.filename() == "predictions" && fs::exists(figures))
    masks.names = read_evaluation(figures).classes;
  return masks;
}

void write_seg_nrrd(const fs::path& file, const fs::path& mask, const datasets::LabelRule& rule,
                    const std::vector<std::string>& names) {
  const datasets::StoredLabel stored = datasets::read_label(mask);
  const std::int64_t most = names.empty() ? 255 : std::int64_t(names.size()) + 1;
  datasets::Remarks remarks = stored.remarks;
  const engine::Tensor classes = datasets::apply_rule(rule, stored, most, mask.string(), &remarks, "--map");
  for (const std::string& text : remarks) say(fmt::format("note: {}: {}", mask.string(), text));
  std::vector<std::string> called = names;
  if (names.empty()) {
    const std::uint8_t* p = classes.data<std::uint8_t>();
    const int largest = classes.size() > 0 ? *std::max_element(p, p + classes.size()) : 0;
    for (int k = 1; k <= largest; ++k) called.push_back(fmt::format("class {}", k));
  }
  engine::write_file_atomically(file, encode_seg_nrrd(classes, stored.geometry, called));
}

}  // namespace sagcl::tools
