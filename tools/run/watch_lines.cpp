#include <cmath>
#include <nlohmann/json.hpp>

#include "datasets/formats/array_file.h"
#include "engine/files/atomic_file.h"
#include "semiagcl/training/tensor_statistics.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {

using Json = nlohmann::ordered_json;

std::string watch_line(std::int64_t step, const std::vector<semiagcl::WatchedTensor>& watched) {
  const auto number = [](double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); };
  Json json = {{"step", step}, {"phase", "watch"}, {"tensors", Json::object()}};
  for (const auto& [name, value] : watched) {
    const semiagcl::TensorStatistics s = semiagcl::statistics_of(value);
    Json& one = json["tensors"][name] = {{"shape", Json::array()}, {"min", number(s.low)},       {"max", number(s.high)},
                                         {"mean", number(s.mean)}, {"std", number(s.deviation)}, {"norm", number(s.norm)},
                                         {"zeros", s.zeros},       {"not_finite", s.not_finite}};
    for (int a = 0; a < value.shape().rank(); ++a) one["shape"].push_back(value.shape()[a]);
  }
  return json_text(json);
}

void write_npy_files(const std::filesystem::path& folder, const std::vector<semiagcl::WatchedTensor>& watched) {
  if (watched.empty()) return;
  make_folder(folder);
  for (const auto& [name, value] : watched) {
    std::string file = name;
    for (char& c : file)
      if (c == '/' || c == ':') c = '_';
    engine::write_file_atomically(folder / (file + ".npy"), datasets::encode_npy(value));
  }
}

std::string hashes_line(const HashPoint& point) {
  Json json = {{"step", point.step}, {"phase", "hashes"}, {"tensors", Json::object()}};
  for (const auto& [name, hash] : point.hashes) json["tensors"][name] = hash;
  return json_text(json);
}

HashPoint hash_point(const std::string& line, const std::string& where) {
  try {
    const Json json = Json::parse(line);
    HashPoint point{json.at("step"), {}};
    for (const auto& [name, hash] : json.at("tensors").items()) point.hashes.emplace_back(name, hash.get<std::string>());
    return point;
  } catch (const Json::exception& e) {
    engine::fail<engine::DataError>("{}: this line about hashes cannot be read ({}); remove it", where, e.what());
  }
}

}  // namespace sagcl::tools
