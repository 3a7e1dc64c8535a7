#include "datasets/case_cache.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "datasets/sha256.h"
#include "datasets/text.h"
#include "engine/files/atomic_file.h"
#include "engine/files/safetensors.h"
#include "engine/hash.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using engine::TensorFile;

namespace {

constexpr const char *image_name = "image", *label_name = "label";
constexpr const char *made_of = "made of", *content_hash = "hash", *spacing = "spacing", *affine = "affine",
                     *placed = "placed", *measured = "measured";

std::string hash_of_content(const Sample& sample) {
  const auto hash = [](const Tensor& t) { return engine::hash({static_cast<const char*>(t.bytes_begin()), t.bytes()}); };
  return fmt::format("{:016x} {:016x}", hash(sample.image), sample.label.defined() ? hash(sample.label) : 0);
}

TensorFile file_of(const Sample& sample, const std::string& parts) {
  TensorFile file;
  file.tensors[image_name] = sample.image;
  if (sample.label.defined()) file.tensors[label_name] = sample.label;
  const Geometry& g = sample.geometry;
  file.notes = {{made_of, parts},
                {content_hash, hash_of_content(sample)},
                {spacing, fmt::format("{}", fmt::join(g.spacing, " "))},
                {affine, fmt::format("{}", fmt::join(g.affine, " "))},
                {placed, g.placed ? "yes" : "no"},
                {measured, g.measured ? "yes" : "no"}};
  return file;
}

const std::string& note(const TensorFile& file, const char* name) {
  const auto found = file.notes.find(name);
  require<DataError>(found != file.notes.end(), "the note '{}' is missing", name);
  return found->second;
}

/// fmt writes the fewest digits that give the same number back.
template <class Numbers>
void read_numbers(std::string_view text, Numbers& numbers) {
  for (double& number : numbers) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const auto value = number_in<double>(text.substr(0, end));
    require<DataError>(value.has_value(), "'{}' is no list of {} numbers", text, numbers.size());
    number = *value;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Sample sample_in(const TensorFile& file, const std::string& id, const std::string& parts, bool with_label) {
  require<DataError>(note(file, made_of) == parts, "it was made of something else");
  Sample sample{id, {}, {}, {}};
  for (const auto& [name, tensor] : file.tensors) (name == image_name ? sample.image : sample.label) = tensor;
  require<DataError>(sample.image.defined() && sample.label.defined() == with_label, "it lacks the {}",
                     sample.image.defined() ? label_name : image_name);
  read_numbers(note(file, spacing), sample.geometry.spacing);
  read_numbers(note(file, affine), sample.geometry.affine);
  sample.geometry.placed = note(file, placed) == "yes";
  sample.geometry.measured = note(file, measured) == "yes";
  return sample;
}

}  // namespace

CaseCache::CaseCache(std::filesystem::path folder, std::string recipe)
    : folder_(std::move(folder)), recipe_(std::move(recipe)) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  require<engine::IoError>(std::filesystem::is_directory(folder_), "{}: cannot be made a folder of prepared cases: {}",
                           folder_.string(), error.message());
  const auto yesterday = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24);
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error))
    if (std::error_code gone; engine::is_temporary(entry.path()) && entry.last_write_time(gone) < yesterday && !gone)
      std::filesystem::remove(entry.path(), gone);
}

Sample CaseCache::get(const std::string& id, const std::string& files, bool with_label, const std::function<Sample()>& make,
                      std::string* damage) const {
  const std::string parts = fmt::format("{}; {}; files {}", recipe_, with_label ? "label" : "no label", files);
  const std::filesystem::path file = folder_ / (sha256(parts).substr(0, 32) + ".safetensors");
  if (std::filesystem::exists(file)) {
    try {
      const TensorFile found = engine::map_safetensors(file);
      Sample sample = sample_in(found, id, parts, with_label);
      require<DataError>(note(found, content_hash) == hash_of_content(sample), "its voxels do not fit its hash");
      return sample;
    } catch (const DataError& error) {
      if (damage) *damage = fmt::format("{}: {}", file.string(), error.what());
    }
  }
  engine::write_safetensors(file, file_of(make(), parts));
  return sample_in(engine::map_safetensors(file), id, parts, with_label);
}

}  // namespace sagcl::datasets
