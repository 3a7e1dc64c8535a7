#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "datasets/store.h"

namespace sagcl::datasets {

/// Cases on disk as training sees them, one safetensors file each, so that a data set may be larger than memory: the tensors
/// lie in the file, which is read where they are touched and forgotten when memory is short. A file is found by what it was
/// made of, the content of the case's files included, and appears whole or not at all: several runs, also at the same time,
/// may share a folder. Safe to call from several threads.
class CaseCache {
 public:
  /// `recipe`: all that a sample depends on beside the files of its case. Makes the folder, and removes what processes that
  /// were killed left in it a day ago or earlier. IoError if it cannot be made.
  CaseCache(std::filesystem::path folder, std::string recipe);

  /// The sample that `make` gives for the case `id`, whose files have the hash `files` (hash_of): from the folder if it lies
  /// there, else made and put there. A file that is damaged is made again, and `damage` says what was wrong with it. Of the
  /// geometry the source's header is not kept. IoError if the folder takes no file, and what `make` throws.
  Sample get(const std::string& id, const std::string& files, bool with_label, const std::function<Sample()>& make,
             std::string* damage = nullptr) const;

 private:
  std::filesystem::path folder_;
  std::string recipe_;
};

}  // namespace sagcl::datasets
