#include "tools/inspect/batch_view.h"

#include <nlohmann/json.hpp>

#include "ops/nuclear_norm.h"
#include "tools/programs/json_text.h"
#include "tools/programs/text_table.h"

namespace sagcl::tools {

using Json = nlohmann::ordered_json;

namespace {

/// "(0, 12, 40)": where a crop begins in its case.
std::string place_text(const datasets::Placement& place) {
  return fmt::format("({}, {}, {})", place.start[0], place.start[1], place.start[2]);
}

std::string kind_of(const BatchView& view, std::size_t sample) {
  return std::int64_t(sample) < view.seen.batch.labelled ? "labelled" : "unlabelled";
}

}  // namespace

BatchView batch_view(InspectedStep& subject) {
  const std::string about = subject.text();
  return {about, subject.settings().method, subject.data().dataset.classes,
          subject.trainer().watch({"student.image", "student.logits", "teacher.image", "teacher.probabilities",
                                   "pseudo_labels", "X", "C", "score", "picks", "counted", "A", "q", "k", "H", "closest",
                                   "allowed", "bank.affinity", "theta"})};
}

std::string batch_text(const BatchView& view) {
  TextTable samples({"sample", "case", "", "crop at"});
  const datasets::Batch& batch = view.seen.batch;
  for (std::size_t i = 0; i < batch.ids.size(); ++i)
    samples.row({std::to_string(i), batch.ids[i], kind_of(view, i), place_text(batch.places[i])});
  TextTable shown({"shown", "shape"});
  for (const auto& [name, value] : view.seen.seen.tensors) shown.row({name, fmt::format("{}", value.shape())});
  return view.about + "\n\n" + samples.text() + "\n" + shown.text();
}

std::string batch_json(const BatchView& view) {
  const datasets::Batch& batch = view.seen.batch;
  Json json = {{"schema_version", 1}, {"step", batch.step + 1}, {"samples", Json::array()}, {"shown", Json::object()}};
  for (std::size_t i = 0; i < batch.ids.size(); ++i)
    json["samples"].push_back({{"case", batch.ids[i]}, {"kind", kind_of(view, i)}, {"crop", place_text(batch.places[i])}});
  constexpr std::int64_t most = 4096;  // numbers; images are for the page and for `watch --npy`
  for (const auto& [name, value] : view.seen.seen.tensors) {
    Json& one = json["shown"][name] = {{"shape", Json::array()}};
    for (int a = 0; a < value.shape().rank(); ++a) one["shape"].push_back(value.shape()[a]);
    if (value.size() <= most) one["values"] = value.to_doubles();
  }
  if (view.has("A")) json["singular_values"] = ops::singular_values(view.seen.find("A")).to_doubles();
  return json_text(json, 1) + "\n";
}

}  // namespace sagcl::tools
