#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "datasets/case_cache.h"
#include "datasets/orientation.h"
#include "semiagcl/settings/settings.h"

namespace sagcl::tools {

/// Reads the cases of a run as training sees them, normalised and resized, several at once. Those for which data.memory has
/// room are kept in memory, the others in a CaseCache, where training reads what it cuts out of them: the same bits.
class CaseReader {
 public:
  /// `cases` are going to be read. `hashes`: those of cases that are known, by id; what is found out is put there. Data,
  /// settings and hashes must outlive it.
  CaseReader(const datasets::Dataset& data, const semiagcl::RunSettings& settings,
             std::map<std::string, std::string>& hashes, std::size_t cases);

  /// In the order of the ids; `with_labels`: every case has one. OutOfMemory says what the cases take, IoError which folder
  /// has no room for them; Stopped if a signal asked to stop; DataError as datasets::load_samples.
  std::vector<datasets::Sample> read(const std::vector<std::string>& ids, bool with_labels);
  const datasets::Orientations& orientations() const { return orientations_; }  ///< of the cases that were read

 private:
  void read_all(const std::vector<std::string>& ids, bool with_labels, std::vector<datasets::Sample>& samples);
  using Make = std::function<datasets::Sample()>;
  datasets::Sample made(const std::string& id, bool with_label) const;
  std::string hash_of(const std::string& id);
  datasets::Sample cached(const std::string& id, bool with_label, const Make& make);
  void begin_cache(std::size_t in_memory);  ///< cases that are kept there
  void require_room(std::size_t bytes) const;
  void warn_of_memory();
  std::size_t bytes_of_all() const { return read_ == 0 ? 0 : bytes_ + image_bytes_ / read_ * (cases_ - read_); }

  const datasets::Dataset& data_;
  const semiagcl::RunSettings& s_;
  std::map<std::string, std::string>& hashes_;
  const datasets::Normalisation normalisation_;
  const std::size_t cases_, budget_;
  std::size_t read_ = 0, bytes_ = 0, image_bytes_ = 0, in_memory_ = 0;  // bytes: of those that are read
  bool warned_ = false;
  datasets::Orientations orientations_;
  std::filesystem::path folder_;
  std::optional<datasets::CaseCache> cache_;  // begun when memory is used up
  std::mutex shared_;                         // by the threads that read: hashes and messages
};

}  // namespace sagcl::tools
