#include "tools/run/event_file.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/programs/protobuf.h"
#include "tools/run/run_folder.h"

namespace sagcl::tools {
namespace {

using Json = nlohmann::ordered_json;

// Numbers of the fields in tensorflow's event.proto and summary.proto.
enum Event { wall_time = 1, step_field = 2, file_version = 3, summary = 5 };
enum Summary { value_field = 1 };
enum Value { tag_field = 1, simple_value = 2 };

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += char(value >> 8 * i);
  return text;
}

/// As TFRecord stores it: turned and shifted, so that a checksum of data with checksums inside stays one.
std::string masked(std::uint32_t crc) { return little_endian(((crc >> 15 | crc << 17) + 0xa282ead8u) & 0xffffffffu, 4); }

/// All scalars of one step.
class Scalars {
 public:
  void add(const std::string& tag, double number) {
    if (!std::isfinite(number)) return;
    Message value;
    value.text(tag_field, tag), value.real(simple_value, float(number));
    all_.message(value_field, value);
    any_ = true;
  }
  void add(const std::string& tag, const Json& number) {
    if (number.is_number()) add(tag, number.get<double>());
  }

  std::string record(std::int64_t step, double time) const {
    if (!any_) return "";
    Message event;
    event.number(wall_time, time), event.integer(step_field, step), event.message(summary, all_);
    return event_record(event.bytes());
  }

 private:
  Message all_;
  bool any_ = false;
};

void add_step(Scalars& scalars, const Json& line) {
  for (const auto& [key, value] : line.items()) {
    if (key == "loss") scalars.add("loss/all", value);
    else if (key == "terms")
      for (const auto& [name, term] : value.items()) scalars.add("loss/" + name, term);
    else if (key != "step") scalars.add("train/" + key, value);
  }
}

void add_dice(Scalars& scalars, const Json& line) {
  const std::string tag = fmt::format("dice/{}/{}", line["phase"].get<std::string>(), line["network"].get<std::string>());
  scalars.add(tag, line["dice"]);
  if (line["per_class"].size() < 2) return;
  for (std::size_t k = 0; k < line["per_class"].size(); ++k)
    scalars.add(fmt::format("{}/class {}", tag, k + 1), line["per_class"][k]);
}

void add_gradients(Scalars& scalars, const std::string& line) {
  const auto [terms, layers] = gradient_point(line, "metrics.jsonl").gradients;
  for (const auto& layer : layers)
    for (std::size_t a = 0; a < terms.size(); ++a)
      scalars.add(fmt::format("gradient/{}/{}", terms[a], layer.name), layer.norm(a));
}

void add_watched(Scalars& scalars, const Json& line) {
  for (const auto& [name, numbers] : line["tensors"].items())
    for (const char* number : {"mean", "std", "norm"})
      scalars.add(fmt::format("watch/{}/{}", name, number), numbers[number]);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t;
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82f63b78u : 0);  // the polynomial, mirrored
    }
    return t;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ std::uint8_t(c)) & 255];
  return ~crc;
}

std::string event_record(std::string_view content) {
  const std::string length = little_endian(content.size(), 8);
  return length + masked(crc32c(length)) + std::string(content) + masked(crc32c(content));
}

std::string event_file_head(double time) {
  Message event;
  event.number(wall_time, time), event.text(file_version, "brain.Event:2");
  return event_record(event.bytes());
}

std::string event_records(const std::string& line, double time) {
  try {
    const Json json = Json::parse(line);
    const std::string phase = json.at("phase");
    Scalars scalars;
    if (phase == "train") add_step(scalars, json);
    else if (phase == "gradients") add_gradients(scalars, line);
    else if (phase == "watch") add_watched(scalars, json);
    else if (phase != "note" && phase != "hashes") add_dice(scalars, json);
    return scalars.record(json.at("step"), time);
  } catch (const Json::exception& e) {
    engine::fail<engine::DataError>("metrics.jsonl: a line cannot be read ({}): {}", e.what(), line.substr(0, 200));
  }
}

}  // namespace sagcl::tools
