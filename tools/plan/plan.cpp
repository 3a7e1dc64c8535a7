#include "tools/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "datasets/text.h"
#include "tools/plan/fit.h"
#include "tools/run/config.h"
#include "tools/run/run_data.h"

namespace sagcl::tools {

using engine::Extents;
using semiagcl::RunSettings;

namespace {

/// Beyond this an axis is coarser than the others: a step along it is no neighbour as one within a plane is. At 3 volumes
/// whose thin axis is halved less were better than planes in the same time (docs/experiments.md).
constexpr double anisotropic = 4;
/// Planes that three halvings and a convolution of three can still make use of.
constexpr std::int64_t few_planes = 24;
/// Images without voxel sizes that have so many times more pixels across than planes are stacks of thick slices.
constexpr std::int64_t thick_slices = 8;
constexpr std::int64_t most_halvings = 4;
constexpr std::int64_t small_plane = 128;

std::string list(const std::vector<std::string>& items) { return fmt::format("[{}]", fmt::join(items, ", ")); }
std::string list(const Extents& e) { return fmt::format("[{}, {}, {}]", e[0], e[1], e[2]); }
std::string quoted(const std::string& text) { return '"' + text + '"'; }

/// A left one and a right one, as kidneys: a mirror would exchange them. The chambers of a heart are no twins; the lateral
/// ventricles of a brain are.
bool has_sides(const std::vector<std::string>& classes) {
  const auto named = [&](const std::string& side) {
    return std::any_of(classes.begin(), classes.end(), [&](const std::string& of_class) {
      const std::string name = datasets::lower(of_class);
      const auto says = [&](const char* word) { return name.find(word) != std::string::npos; };
      return says(side.c_str()) && (says("lateral") || !(says("ventric") || says("atri")));
    });
  };
  return named("left") && named("right");
}

/// The axis W, H or D that leads from one side of the patient to the other; 0 where a network of planes does not see it or
/// the images do not agree. Images that do not say how they lie are taken to lie as usual.
char side_to_side(const DataFacts& f, bool flat) {
  const std::string code = f.orientations.common();
  if (code.empty()) return f.orientations.differ() ? '\0' : 'W';
  const std::size_t axis = code.find_first_of("LR");
  return axis == 2 && flat ? '\0' : "WHD"[axis];
}

/// Why the values are brought to mean 0 and deviation 1, and what to do if that is wrong.
std::string why_z_score(const DataFacts& f) {
  if (const std::size_t odd = not_in_hounsfield(f).size(); odd > 0)
    return fmt::format(
        "of each image: CT, but {} of {} images are stored otherwise (above); in Hounsfield units all could "
        "share a window",
        odd, f.cases.size());
  const char* hint = "; if this is CT, say so: \"channel_names\": {\"0\": \"CT\"} in dataset.json";
  return fmt::format("of each image: brightness differs from one to the next{}",
                     f.channels == 1 && is_unnamed(f) ? hint : "");
}

/// What volumes are cut along and how far apart their voxels will lie.
struct Grid {
  bool flat;
  std::string why_flat;
  std::array<double, 3> spacing = {0, 0, 0};  // 0: stays
  Extents extents;                            // median, then
  Extents halvings{{most_halvings, most_halvings, most_halvings}};

  std::int64_t resized = 0;  // side of the squares that planes are made; 0: they stay

  Grid(const DataFacts& f, PatchSize size) : extents(f.extents) {
    const bool resampled = f.measured && differ(f, 0);
    if (resampled) extents = median_extents_at(f, f.spacing);
    const double in_plane = std::max(f.spacing[1], f.spacing[2]), ratio = f.measured ? f.spacing[0] / in_plane : 1;
    const bool thick = !f.measured && extents[0] * thick_slices <= std::min(extents[1], extents[2]);
    flat = f.largest[0] == 1 || ((ratio >= anisotropic || thick) && extents[0] <= few_planes);
    why_flat = f.largest[0] == 1 ? "the images are planes"
               : flat && thick   ? fmt::format(
                                       "{} planes of {}x{} pixels must be thick slices, though no file says so: each "
                                         "for itself",
                                       extents[0], extents[1], extents[2])
               : flat ? fmt::format("{} planes of {:.3g} mm, {:.1f} times as far apart as pixels: each for itself",
                                    extents[0], f.spacing[0], ratio)
                      : "volumes";
    if (flat && size == PatchSize::tiny && std::min(extents[1], extents[2]) > small_plane) {
      resized = extents[1] = extents[2] = small_plane;
    } else if (f.measured && differ(f, flat ? 1 : 0)) {
      for (std::size_t a = flat ? 1 : 0; a < 3; ++a) spacing[a] = std::round(1000 * f.spacing[a]) / 1000;
    }
    if (!flat) halve(f);
  }
  /// An axis whose voxels are twice as long is halved once less, so that those of the deepest stage are cubes; so is one
  /// that would be halved to less than a voxel.
  void halve(const DataFacts& f) {
    const double finest = *std::min_element(f.spacing.begin(), f.spacing.end());
    for (int a = 0; a < 3; ++a) {
      const double coarser = f.measured ? std::round(std::log2(f.spacing[std::size_t(a)] / finest)) : 0;
      halvings[a] -= std::clamp<std::int64_t>(std::int64_t(coarser), 0, most_halvings);
      uneven = uneven || coarser > 0;
      while (halvings[a] > 0 && stride(a) > extents[a]) --halvings[a];
    }
  }
  bool uneven = false;  // voxels are not about cubes
  std::int64_t stride(int a) const { return flat && a == 0 ? 1 : std::int64_t(1) << halvings[a]; }
  bool halves_all_alike() const { return halvings == Extents{{most_halvings, most_halvings, most_halvings}}; }
  /// By more than a twentieth.
  static bool differ(const DataFacts& f, std::size_t first_axis) {
    for (std::size_t a = first_axis; a < 3; ++a)
      if (f.coarsest[a] > 1.05 * f.finest[a]) return true;
    return false;
  }
  bool resamples() const { return spacing[2] > 0; }
};

/// The median extents in steps of what the network halves, the largest cut until the product is at most `most`.
Extents patch_of(const Grid& grid, std::int64_t most) {
  Extents patch;
  for (int a = 0; a < 3; ++a) {
    const std::int64_t stride = grid.stride(a);
    patch[a] = grid.flat && a == 0 ? 1 : std::max(stride, (grid.extents[a] + stride / 2) / stride * stride);
  }
  while (patch.volume() > most) {
    int longest = 0;
    for (int a = 1; a < 3; ++a)
      if (patch[a] > patch[longest]) longest = a;
    patch[longest] -= grid.stride(longest);
  }
  return patch;
}

/// Of a patch: the small one is what a CPU trains on in a second or less, the large ones are the networks' usual.
std::int64_t most_voxels(PatchSize size, bool flat) {
  switch (size) {
    case PatchSize::tiny: return flat ? small_plane * small_plane : 32 * 32 * 32;
    case PatchSize::small: return flat ? 192 * 192 : 64 * 64 * 48;
    case PatchSize::large: return flat ? 320 * 320 : 112 * 112 * 80;
  }
  throw engine::UsageError("a patch size without a number of voxels");
}

const char* why_cut(PatchSize size) {
  switch (size) {
    case PatchSize::tiny: return ", cut to what time or memory allow";
    case PatchSize::small: return ", cut to what a CPU trains on in a second or less";
    case PatchSize::large: return ", cut: there is time for much of the surroundings";
  }
  return "";
}

/// As many parts of a patch as its extents allow that the encoder can still halve.
Extents parts_of(const Extents& patch, const Grid& grid) {
  Extents parts;
  for (int a = 0; a < 3; ++a) {
    parts[a] = 1;
    for (const std::int64_t n : {grid.flat ? 4 : 2, 2})
      if (parts[a] == 1 && !(grid.flat && a == 0) && patch[a] % n == 0 && patch[a] / n >= grid.stride(a)) parts[a] = n;
  }
  return parts;
}

}  // namespace

double minutes_of(const std::string& text) {
  static const std::map<char, double> units = {{'s', 1.0 / 60}, {'m', 1}, {'h', 60}};
  const auto unit = text.empty() ? units.end() : units.find(text.back());
  const auto number = datasets::number_in<double>(text.substr(0, text.empty() ? 0 : text.size() - 1));
  engine::require<engine::UsageError>(unit != units.end() && number && *number > 0 && *number < 1e5,
                                      "--time '{}': expected a time like 90s, 30m or 2h", text);
  return *number * unit->second;
}

std::vector<PlanLine> plan_of_parts(const datasets::Dataset& data, const std::string& labelled) {
  std::vector<PlanLine> lines = {
      {"data.labelled", quoted(labelled), labelled == "1.0" ? "all labels there are" : "asked for"}};
  std::vector<std::string> patients;  // with a label, by name
  for (const datasets::Case& one : data.cases)
    if (one.has_label() && std::find(patients.begin(), patients.end(), one.patient) == patients.end())
      patients.push_back(one.patient);
  std::sort(patients.begin(), patients.end());
  if (!data.test.empty())
    lines.push_back({"data.test", quoted("0"), fmt::format("the data set has {} test cases of its own", data.test.size())});
  else if (patients.size() < 10)
    lines.push_back(
        {"data.test", quoted("0"),
         fmt::format("{} patients with labels are too few to hold some back: nothing will be measured", patients.size())});
  else {
    const char* why = "every fifth patient with labels, by name: held back, to measure what was learnt";
    const bool all = std::all_of(data.cases.begin(), data.cases.end(), [](const auto& one) { return one.has_label(); });
    std::vector<std::string> test;
    for (std::size_t i = 0; i < patients.size(); i += 5) test.push_back(patients[i]);
    lines.push_back({"data.test", quoted(all ? "0.2" : fmt::format("{}", fmt::join(test, ","))), why});
    if (all) lines.push_back({"data.split_pick", quoted("every"), ""});
  }
  return lines;
}

std::vector<PlanLine> plan_of_data(const DataFacts& f, PatchSize size, std::int64_t batch_of_planes) {
  const Grid grid(f, size);
  std::vector<PlanLine> lines;
  const auto line = [&](const char* key, const std::string& value, const std::string& reason) {
    lines.push_back({key, value, reason});
  };
  if (grid.resamples())
    line("data.spacing", fmt::format("[{}, {}, {}]", grid.spacing[0], grid.spacing[1], grid.spacing[2]),
         grid.flat ? "mm, the median: pixels differ in size from case to case"
                   : "mm, the median: voxels differ in size from case to case");
  if (grid.resized > 0)
    line("data.resize", std::to_string(grid.resized),
         "pixels a side: in little time many steps on coarse images teach more than few on fine ones");
  if (f.channels == 3 && f.whole_numbers && f.lowest >= 0)
    line("data.normalise", quoted("unit"), "three channels of whole numbers: colours, black is 0 and white 1");
  else if (is_ct(f) && not_in_hounsfield(f).empty() && f.deviation > 0 && f.low < f.high) {
    line("data.normalise", quoted("window"),
         f.channel_names.empty()
             ? "whole numbers from the -1000 of air on look like Hounsfield units, the same in every image"
             : "CT: Hounsfield units, the same in every image");
    line("data.window", fmt::format("[{:.6g}, {:.6g}, {:.6g}, {:.6g}]", f.low, f.high, f.mean, f.deviation),
         "0.5 and 99.5 per cent, mean and deviation of the labelled voxels: what is looked for, in detail");
  } else line("data.normalise", quoted("z_score"), why_z_score(f));
  line("network.name", quoted(grid.flat ? "unet" : "vnet"), grid.why_flat);
  if (!grid.halves_all_alike())
    line("network.halvings", list(grid.halvings),
         grid.uneven ? fmt::format("of the network's four steps D, H, W: voxels of {:.3g} x {:.3g} x {:.3g} mm, {} of them, "
                                   "become cubes",
                                   f.spacing[0], f.spacing[1], f.spacing[2], engine::to_string(grid.extents))
                     : fmt::format("of the network's four steps D, H, W: {} voxels can be halved no more",
                                   engine::to_string(grid.extents)));
  const Extents patch = patch_of(grid, most_voxels(size, grid.flat));
  line("train.patch", list(patch),
       fmt::format(
           "the median extents {}{} in steps of {}, which the halvings need{}", engine::to_string(grid.extents),
           grid.resamples() ? " at that spacing" : "",
           grid.halves_all_alike() ? "16" : engine::to_string(Extents{{grid.stride(0), grid.stride(1), grid.stride(2)}}),
           patch_of(grid, std::int64_t(1) << 40) == patch ? "" : why_cut(size)));
  line("train.batch", std::to_string(grid.flat ? batch_of_planes : 4),
       grid.flat && batch_of_planes < 8 ? "pairs swap boxes, so an even number; in little time more steps teach more than 8"
                                        : "pairs swap boxes, so an even number");
  line("train.unlabelled", quoted(grid.flat ? "beside" : "half"),
       grid.flat ? "as many unlabelled ones on top: the labelled ones stay"
                 : "of the batch; the supervised half of the training has all four labelled");
  line("train.optimiser", quoted("adam"), "needs no rate of its own for each data set");
  line("train.learning_rate", "1e-3", "ten times that of the long recipes, for few steps");
  line("train.poly_power", "0.9", "falls to 0 at the end");
  const bool sides = has_sides(f.classes), placeless = grid.flat && !f.measured;
  const char side = side_to_side(f, grid.flat);
  std::vector<std::string> flips;
  if (!sides && placeless) flips = {"\"H\"", "\"W\""};
  else if (!sides && side) flips = {fmt::format("\"{}\"", side)};
  line("augment.flip", list(flips),
       sides                             ? "a mirror would exchange the left and the right class"
       : placeless                       ? "images without a place in the patient: no direction is known to matter"
       : !side                           ? "no axis that can be mirrored is known to lead from left to right in all images"
       : f.orientations.common().empty() ? "left and right, if the images lie as usual: no file says how; the rest of a "
                                           "patient is not alike on both sides"
                                         : "left and right; up, down, front and back look different in a patient");
  const bool quarters = placeless && patch[1] == patch[2];
  line("augment.rotate", quarters ? "true" : "false", "quarter turns: for images without an up and down alone");
  if (quarters) {
    line("augment.turn", "0",
         "free turns, scaling and elastic deformation on top of quarter turns cost such images a point "
         "(docs/experiments.md)");
  } else if (grid.flat || !grid.uneven) {
    line("augment.turn", "20",
         "degrees at most; with scale and elastic 2.9 Dice points on the mean of four trials (docs/experiments.md)");
    line("augment.scale", "1.2", ""), line("augment.elastic", "0.2", "");
  } else line("augment.turn", "0", "free turns would take longer voxels for shorter ones");
  line("augment.colour", f.channels == 3 ? "true" : "false", "the strong view changes colours: for three channels");
  Extents image = grid.extents;
  if (grid.flat) image[0] = 1;
  const bool whole = image.volume() <= 2 * patch.volume();
  line("augment.foreground", whole ? "0" : "0.33",
       whole ? "a crop is nearly a whole image"
             : "a third of the crops about a voxel of a drawn class: small organs would hardly be seen");
  const bool few = f.unlabelled > 0;
  line("train.method", quoted(few ? "semi-agcl" : "supervised"),
       few ? fmt::format("{} images without labels are there to learn from", f.unlabelled) : "every image has a label");
  if (few) {
    const Extents parts = parts_of(patch, grid);
    const bool pastes = grid.flat || !whole;
    line("method.preset", quoted(pastes ? "mixed" : "stable"),
         pastes ? "copy-paste with the teacher, which pays where labels are few"
                : "without copy-paste: volumes of a whole small organ lost by it (docs/experiments.md)");
    line("method.warm_up_share", "0.5", "the first half supervised");
    line("method.patch_grid", quoted(engine::to_string(parts)), "as many patches as the encoder can still halve");
    line("method.ema_decay", "0.99", "a teacher that follows within some hundred steps");
    line("method.bank_size", "1024", "sizes for few classes and short trainings, as in the small presets");
    line("method.n_closest", "64", ""), line("method.n_hard", "64", ""), line("method.projection_hidden", "128", "");
  } else {
    line("augment.copy_paste", quoted("always"), "labelled images swap boxes");
  }
  if (!whole) {
    const auto half = [&](int a) { return patch[a] == 1 ? 1 : patch[a] / 2; };
    line("evaluation.stride", list(Extents{{half(0), half(1), half(2)}}), "windows overlap by half");
    line("evaluation.blending", quoted("gaussian"), "the middle of a window counts more than its border");
  }
  return lines;
}

std::string to_toml(const Plan& plan) {
  std::string text = "# A plan of sagcl-train. Change what you know better; sagcl-train --config takes it.\n";
  for (const std::string& sentence : plan.seen) text += "# " + sentence + "\n";
  std::vector<std::string> sections;
  for (const PlanLine& line : plan.lines)
    if (const std::string name = line.key.substr(0, line.key.find('.'));
        std::find(sections.begin(), sections.end(), name) == sections.end())
      sections.push_back(name);
  for (const std::string& section : sections) {
    text += fmt::format("\n[{}]\n", section);
    for (const PlanLine& line : plan.lines) {
      if (!line.key.starts_with(section + ".")) continue;
      const std::string setting = line.key.substr(section.size() + 1) + " = " + line.value;
      text += line.reason.empty() ? setting + "\n" : fmt::format("{:<28}  # {}\n", setting, line.reason);
    }
  }
  return text;
}

RunSettings settings_with(const std::vector<PlanLine>& lines, const PlanWishes& wishes) {
  RunSettings s;
  apply_toml(s, to_toml({{}, lines}), "the plan");
  s.data.folder = wishes.folder;
  for (const std::string& assignment : wishes.set) apply_assignment(s, assignment);
  return s;
}

Plan make_plan(const PlanWishes& wishes) {
  RunSettings s;
  s.data.folder = wishes.folder;
  for (const std::string& assignment : wishes.set) apply_assignment(s, assignment);
  const datasets::Dataset data = open_data(s);
  Plan plan;
  if (wishes.split.empty()) plan.lines = plan_of_parts(data, wishes.labelled);
  const RunSettings parts = settings_with(plan.lines, wishes);
  const DataFacts facts = look_at(
      data, wishes.split.empty() ? datasets::make_split(data, split_rule(parts)) : datasets::read_split(wishes.split, data));
  plan.seen = sentences(facts);
  const auto given = [&](const std::string& key) {
    return std::any_of(wishes.set.begin(), wishes.set.end(),
                       [&](const std::string& one) { return one.starts_with(key + "="); });
  };
  if (!given("network.width") || !given("train.steps")) return fit_to_machine(std::move(plan), facts, wishes);
  const std::vector<PlanLine> lines = plan_of_data(facts);
  plan.lines.insert(plan.lines.end(), lines.begin(), lines.end());
  return plan;
}

}  // namespace sagcl::tools
