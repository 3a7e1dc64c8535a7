#include "tools/run/preflight.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "semiagcl/training/checkpoint.h"
#include "tools/evaluate/prediction.h"
#include "tools/programs/program.h"
#include "tools/programs/progress.h"
#include "tools/run/run_state.h"
#include "tools/run/run_writer.h"

namespace sagcl::tools {

using datasets::Sample;
using engine::DataError;
using engine::Extents;
using engine::OutOfMemory;
using engine::Tensor;
using semiagcl::RunSettings;

namespace {

/// Which classes some labels hold.
class Classes {
 public:
  explicit Classes(const std::vector<std::string>& names) : names_(names), seen_(names.size(), false) {}
  void add(const Tensor& label) {
    for (std::int64_t v = 0; v < label.size(); ++v)
      if (const std::size_t k = label.data<std::uint8_t>()[v]; k < seen_.size()) seen_[k] = true;
  }
  void warn(const char* cases, const char* consequence) const {
    for (std::size_t k = 1; k < names_.size(); ++k)
      if (!seen_[k]) say(fmt::format("warning: no {} case holds class {} ({}): {}", cases, k, names_[k], consequence));
  }

 private:
  const std::vector<std::string>& names_;
  std::vector<bool> seen_;
};

/// Reads cases one by one and keeps the largest; what cannot be read is collected.
class Reading {
 public:
  Reading(const RunData& data, const HeldOut& held_out)
      : data_(data),
        held_out_(held_out),
        progress_({.label = "held-out", .total = std::int64_t(data.split.validation.size() + data.split.test.size())}) {}

  void part(const char* name, const std::vector<std::string>& ids, const char* consequence) {
    Classes classes(data_.dataset.classes);
    for (const std::string& id : ids) {
      leave_if_asked();
      try {
        Sample sample = held_out_.load(id);
        classes.add(sample.label);
        if (!largest_ || sample.image.size() > largest_->image.size()) largest_ = std::move(sample);
      } catch (const DataError& e) {
        problems_.push_back(fmt::format("{} case {}: {}", name, id, e.what()));
        first_ = first_ ? first_ : std::current_exception();
      }
      progress_.update(++done_, id);
    }
    if (!ids.empty() && problems_.empty()) classes.warn(name, consequence);
  }

  std::optional<Sample> largest() {
    progress_.finish();
    if (problems_.size() == 1) std::rethrow_exception(first_);
    engine::require<DataError>(problems_.empty(), "{} held-out cases cannot be used:\n  {}\nrepair them, or leave them out",
                               problems_.size(), fmt::join(problems_, "\n  "));
    return std::move(largest_);
  }

 private:
  const RunData& data_;
  const HeldOut& held_out_;
  Progress progress_;
  std::int64_t done_ = 0;
  std::optional<Sample> largest_;
  std::vector<std::string> problems_;
  std::exception_ptr first_;
};

/// The corner of extents `size` of an image [D, H, W, C] or label [D, H, W].
Tensor corner(const Tensor& volume, const Extents& size) {
  const auto& s = volume.shape();
  Tensor out = Tensor::empty(s.with(0, size[0]).with(1, size[1]).with(2, size[2]), volume.dtype());
  const std::size_t row = volume.bytes() / std::size_t(s[0] * s[1]), part = out.bytes() / std::size_t(size[0] * size[1]);
  for (std::int64_t d = 0; d < size[0]; ++d)
    for (std::int64_t h = 0; h < size[1]; ++h)
      std::copy_n(static_cast<const char*>(volume.bytes_begin()) + std::size_t(d * s[1] + h) * row, part,
                  static_cast<char*>(out.bytes_begin()) + std::size_t(d * size[1] + h) * part);
  return out;
}

/// As much of a case as shows that prediction works.
Sample trial_part(Sample sample, const RunSettings& s, bool flat) {
  Extents size = sample.extents();
  if (flat) size[0] = 1;
  if (!s.evaluation.stride.empty() && s.data.resize == 0 && s.data.spacing.empty())
    for (int a = 0; a < 3; ++a) size[a] = std::min(size[a], s.train.patch[std::size_t(a)]);
  if (size != sample.extents()) sample.geometry.nifti_header.clear();  // it is the whole case's
  sample.image = corner(sample.image, size);
  sample.label = corner(sample.label, size);
  return sample;
}

Trial try_evaluation(Sample sample, const RunSettings& s, const HeldOut& held_out, layers::Segmenter& network) {
  const auto no_room = [&](const std::string& what) {
    engine::fail<OutOfMemory>(
        "no memory is left to predict case {} of extents {} (z, y, x): {}. Set evaluation.stride, so that windows of "
        "train.patch are predicted, e.g. --set evaluation.stride={}",
        sample.id, fmt::join(sample.image.shape().begin(), sample.image.shape().begin() + 3, "x"), what,
        fmt::join(s.train.patch, ","));
  };
  try {
    sample = trial_part(std::move(sample), s, network.flat());
    Trial trial{sample, held_out.predict(network, sample)};
    Evaluation evaluation = held_out.evaluation();
    require_voxel_size(evaluation, sample.id, sample.geometry.measured);
    add_case(evaluation, sample.id, trial.prediction, sample.label, sample.geometry.spacing);
    summarise(evaluation);
    return trial;
  } catch (const OutOfMemory& e) { no_room(e.what()); } catch (const std::bad_alloc&) {
    no_room("the machine has no more");
  }
  return {};  // not reached
}

}  // namespace

std::optional<Trial> look_ahead(const RunData& data, const RunSettings& s, const HeldOut& held_out,
                                layers::Segmenter& network) {
  Classes labelled(data.dataset.classes);
  for (const Sample& sample : data.training.labelled) labelled.add(sample.label);
  labelled.warn("labelled", "it cannot be learnt; label one that does, or choose other cases (--labelled)");
  if (s.evaluation.every > 0 && data.split.validation.empty())
    say(
        fmt::format("warning: evaluation.every = {}, but no validation cases are set aside (data.validation): nothing is "
                    "measured on the way",
                    s.evaluation.every));
  Reading reading(data, held_out);
  reading.part("validation", data.split.validation, "its Dice on them says nothing");
  reading.part("test", data.split.test, "its figures say nothing");
  std::optional<Sample> largest = reading.largest();
  if (!largest) return {};
  for (const std::string& note : notes_on_prediction(s)) say(note);
  return try_evaluation(std::move(*largest), s, held_out, network);
}

Need checkpoints_to_come(const std::filesystem::path& run, const RunSettings& s, bool averages,
                         const engine::TensorFile& now) {
  std::size_t all = 0, student = 0, teacher = 0;
  for (const auto& [name, t] : now.tensors)
    (name.starts_with(semiagcl::checkpoint::student)   ? student
     : name.starts_with(semiagcl::checkpoint::teacher) ? teacher
                                                       : all) += t.bytes();
  if (teacher == 0 && averages) teacher = student;  // it comes at the end of the warm-up, with smaller parts
  all += student + teacher;
  // Written are those of the settings, and one more where the run is interrupted or its warm-up starts again.
  const std::int64_t written = 2 + (s.train.steps - 1) / s.evaluation.checkpoint_every;
  const std::int64_t most = std::min(written, RunWriter::checkpoints_kept + 1);
  return {std::max<std::int64_t>(1, most - std::int64_t(checkpoint_files(run).size())), all + all / 10 + (1 << 20)};
}

void require_space(const std::filesystem::path& run, const Need& need) {
  std::filesystem::path folder = std::filesystem::absolute(run);
  while (!std::filesystem::exists(folder)) folder = folder.parent_path();
  struct statvfs system {};
  engine::require<engine::IoError>(::statvfs(folder.c_str(), &system) == 0,
                                   "{}: its file system does not say what is free: {}", folder.string(),
                                   std::strerror(errno));
  const std::size_t free = std::size_t(system.f_bavail) * system.f_frsize, all = std::size_t(need.files) * need.each;
  engine::require<engine::IoError>(
      all <= free,
      "{}: {} are free and the checkpoints need {} ({} files of {}: those that are kept and the one "
      "being written); free some space, or choose a folder on another disk",
      run.string(), size_text(free), size_text(all), need.files, size_text(need.each));
}

}  // namespace sagcl::tools
