#include <string_view>

#include "datasets/layouts/layouts.h"
#include "datasets/split.h"

using namespace sagcl;

namespace {
template <class F>
void attempt(F&& f) {
  try {
    f();
  } catch (const engine::DataError&) {}
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt([&] {
    for (const auto& pair : datasets::parse_dataset_json(text, "fuzzed").training)
      for (const std::string& image : pair.images) datasets::inside("/data", image, "fuzzed");
  });
  attempt([&] { datasets::parse_split(text, "fuzzed"); });
  attempt([&] {
    for (const datasets::ListRow& r : datasets::parse_list_tsv(text, "fuzzed"))
      datasets::inside("/data", r.tile_class + "/" + r.file, "fuzzed");
  });
  return 0;
}
