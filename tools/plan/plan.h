#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "semiagcl/settings/settings.h"
#include "tools/plan/data_facts.h"

/// The plan of a training: settings for images that no preset was made for, each with its reason.
namespace sagcl::tools {

struct PlanLine {
  std::string key, value, reason;  ///< "train.patch", "[32, 48, 32]" as TOML, why
};

struct Plan {
  std::vector<std::string> seen;  ///< sentences(facts), and the machine
  std::vector<PlanLine> lines;
};

/// What the user says and the machine has.
struct PlanWishes {
  std::string folder;
  std::string split;             ///< file of a division to keep to; empty: the plan holds patients back itself
  std::string labelled = "1.0";  ///< as data.labelled
  double minutes = 20;           ///< that the training may take
  std::string device = "auto";
  std::vector<std::string> set;  ///< key=value that hold whatever the plan says: they are measured with
};

/// Which patients are held out for the test, before anything is looked at.
std::vector<PlanLine> plan_of_parts(const datasets::Dataset& data, const std::string& labelled);

/// Most voxels of a patch: 32x32x32, 64x64x48 or 112x112x80 of a volume, 192x192 or 320x320 of a plane. Tiny planes are
/// whole ones, made 128x128.
enum class PatchSize { tiny, small, large };

/// What follows from the data alone: dimensions, spacing, patch, batch, grey values, mirrors, crops, method.
std::vector<PlanLine> plan_of_data(const DataFacts& facts, PatchSize size = PatchSize::small,
                                   std::int64_t batch_of_planes = 8);

/// Looks at the data, then fits patch, width and number of steps to the machine and the time (fit.h). Says what it does.
Plan make_plan(const PlanWishes& wishes);

/// Settings with the lines of a plan, then what the user sets.
semiagcl::RunSettings settings_with(const std::vector<PlanLine>& lines, const PlanWishes& wishes);

/// As a TOML file with the reasons as comments, which --config and apply_toml read.
std::string to_toml(const Plan& plan);

/// "30m", "2h", "90s" in minutes. UsageError otherwise.
double minutes_of(const std::string& text);

}  // namespace sagcl::tools
