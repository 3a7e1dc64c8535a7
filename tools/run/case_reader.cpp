#include "tools/run/case_reader.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>

#include "datasets/split.h"
#include "engine/devices/device_registry.h"
#include "engine/parallel.h"
#include "layers/segmenter.h"
#include "semiagcl/evaluation/inference.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/programs/signals.h"
#include "tools/run/processes.h"

namespace sagcl::tools {

using datasets::Sample;
using engine::fail;
using engine::require;
using semiagcl::RunSettings;

namespace {

/// Bytes of samples that may be in memory.
std::size_t budget(const RunSettings& s) {
  require<engine::UsageError>(s.data.memory >= 0,
                              "data.memory = {}: GiB for the training cases, or 0 for half of what is free", s.data.memory);
  if (s.data.cache == "never") return std::numeric_limits<std::size_t>::max();
  if (s.data.cache != "auto") return 0;
  if (s.data.memory > 0) return std::size_t(s.data.memory * double(1 << 30));
  return engine::runtime(engine::Device::cpu()).room().free / 2 / std::size_t(processes_here());
}

std::filesystem::path cache_folder(const RunSettings& s) {
  if (s.data.cache != "auto") return s.data.cache;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return std::filesystem::path(cache) / "sagcl";
  const char* home = std::getenv("HOME");
  require<engine::UsageError>(home && *home,
                              "the training cases do not fit into data.memory, and there is no home for the others: "
                              "--set data.cache=FOLDER says where");
  return std::filesystem::path(home) / ".cache" / "sagcl";
}

/// What a sample depends on beside the files of its case. The number grows when the same settings give other voxels.
std::string recipe(const datasets::Dataset& data, const RunSettings& s) {
  std::string rule = fmt::format("threshold {} instances {} ignored {}", data.labels.threshold, data.labels.instances,
                                 data.labels.ignored.value_or(-1));
  for (const auto& [stored, k] : data.labels.map) rule += fmt::format(" {}:{}", stored, k);
  return fmt::format("sagcl case 2; normalise {} {}; spacing {}; resize {} {}; channels {}; classes {}; labels {}",
                     s.data.normalise, fmt::join(s.data.window, " "), fmt::join(s.data.spacing, " "), s.data.resize,
                     s.data.resize_order, data.channels, data.n_classes(), rule);
}

}  // namespace

CaseReader::CaseReader(const datasets::Dataset& data, const RunSettings& settings,
                       std::map<std::string, std::string>& hashes, std::size_t cases)
    : data_(data),
      s_(settings),
      hashes_(hashes),
      normalisation_(datasets::normalisation_named(settings.data.normalise, settings.data.window)),
      cases_(cases),
      budget_(budget(settings)) {
  if (budget_ == 0) begin_cache(0);
}

void CaseReader::begin_cache(std::size_t in_memory) {
  folder_ = cache_folder(s_);
  cache_.emplace(folder_, recipe(data_, s_));
  if (s_.data.cache != "auto") return;
  std::error_code unknown;
  const std::uintmax_t free = std::filesystem::space(folder_, unknown).available;
  say(fmt::format(
      "note: the training cases take about {}: {} of {} in memory (data.memory), the others in {} (data.cache{})",
      size_text(bytes_of_all()), in_memory, cases_, folder_.string(),
      unknown ? "" : fmt::format("; {} are free there", size_text(free))));
}

/// The disk is not filled to its last byte.
void CaseReader::require_room(std::size_t bytes) const {
  std::error_code unknown;
  const std::uintmax_t free = std::filesystem::space(folder_, unknown).available;
  require<engine::IoError>(unknown || free / 2 >= bytes,
                           "{}: {} are free on its disk, too little for more cases; free some space, choose another folder "
                           "with --set data.cache=FOLDER, or allow more memory with --set data.memory=GIB",
                           folder_.string(), size_text(free));
}

Sample CaseReader::made(const std::string& id, bool with_label) const {
  Sample sample = std::move(datasets::load_samples(data_, {id}, normalisation_, with_label).front());
  const bool resampled = std::any_of(s_.data.spacing.begin(), s_.data.spacing.end(), [](double mm) { return mm > 0; });
  require<engine::DataError>(!resampled || sample.geometry.measured,
                             "case {}: its files do not say how large a voxel is, so it cannot be brought to data.spacing = "
                             "[{}] mm; leave data.spacing out, or convert the images to NIfTI with their voxel sizes",
                             id, fmt::join(s_.data.spacing, ", "));
  sample.image = semiagcl::resized_image(sample.image, s_.data, sample.geometry.spacing);
  if (sample.label.defined()) sample.label = semiagcl::resized_label(sample.label, s_.data, sample.geometry.spacing);
  return sample;
}

std::string CaseReader::hash_of(const std::string& id) {
  {
    const std::lock_guard lock(shared_);
    if (const auto known = hashes_.find(id); known != hashes_.end()) return known->second;
  }
  const std::string hash = datasets::hash_of(datasets::find_case(data_, id));
  const std::lock_guard lock(shared_);
  return hashes_[id] = hash;
}

Sample CaseReader::cached(const std::string& id, bool with_label, const Make& make) {
  std::string damage;
  Sample sample = cache_->get(
      id, hash_of(id), with_label,
      [&] {
        Sample one = make();
        require_room(one.bytes());
        return one;
      },
      &damage);
  const std::lock_guard lock(shared_);
  if (!damage.empty()) say(fmt::format("warning: {}; it was made again", damage));
  return sample;
}

std::vector<Sample> CaseReader::read(const std::vector<std::string>& ids, bool with_labels) {
  const auto no_room = [&] {
    fail<engine::OutOfMemory>(
        "{}: no memory is left for the data: {} of {} training cases are read and take {} of about {}. "
        "--set data.memory=GIB keeps so much of them in memory and the rest on disk",
        data_.folder.string(), read_, cases_, size_text(bytes_), size_text(bytes_of_all()));
  };
  std::vector<Sample> samples(ids.size());
  try {
    read_all(ids, with_labels, samples);
  } catch (const engine::OutOfMemory&) { no_room(); } catch (const std::bad_alloc&) {
    no_room();
  }
  if (layers::flat(s_.network.name)) samples = datasets::planes_of(std::move(samples));
  if (with_labels && s_.augment.foreground > 0)
    for (Sample& sample : samples) sample.counts = std::make_shared<datasets::ClassCounts>(sample.label);
  return samples;
}

/// Where the settings leave more to memory than there is.
void CaseReader::warn_of_memory() {
  const std::size_t free = engine::runtime(engine::Device::cpu()).room().free, rest = bytes_of_all() - bytes_;
  if (warned_ || cache_ || rest <= free || budget_ - in_memory_ <= free) return;
  warned_ = true;
  say(fmt::format(
      "warning: {}: the training cases will take about {} more of memory, and {} are free: the run may be ended by "
      "the system. --set data.cache=auto and a smaller data.memory keep the rest on disk",
      data_.folder.string(), size_text(rest), size_text(free)));
}

void CaseReader::read_all(const std::vector<std::string>& ids, bool with_labels, std::vector<Sample>& samples) {
  const auto begun = std::chrono::steady_clock::now();
  std::optional<Progress> progress;  // where it takes long
  const auto make = [&](std::int64_t i) {
    const std::string& id = ids[std::size_t(i)];
    return cache_ ? cached(id, with_labels, [&] { return made(id, with_labels); }) : made(id, with_labels);
  };
  engine::make_in_order(std::int64_t(ids.size()), make, [&](std::int64_t i, Sample&& sample) {
    leave_if_asked();
    const std::string& id = ids[std::size_t(i)];
    orientations_.add(id, sample.geometry);
    ++read_, bytes_ += sample.bytes(), image_bytes_ += sample.image.bytes();
    if (!cache_ && in_memory_ + sample.bytes() > budget_) begin_cache(read_ - 1);
    if (cache_ && !sample.image.is_borrowed()) sample = cached(id, with_labels, [&] { return sample; });
    else if (!cache_) in_memory_ += sample.bytes();
    samples[std::size_t(i)] = std::move(sample);
    warn_of_memory();
    if (!progress && std::chrono::steady_clock::now() - begun > std::chrono::seconds(5))
      progress.emplace(ProgressSpec{.label = "read", .total = std::int64_t(ids.size()), .start = i + 1});
    if (progress) progress->update(i + 1, size_text(bytes_));
  });
}

}  // namespace sagcl::tools
