#include "tools/run/method_look.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <stdexcept>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "ops/layout.h"
#include "ops/nuclear_norm.h"
#include "ops/softmax.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/report/html.h"
#include "tools/report/overlay.h"

namespace sagcl::tools {
namespace {

namespace fs = std::filesystem;
using engine::Tensor;
using Json = nlohmann::ordered_json;

constexpr std::int64_t most = 64;

/// Four decimals are enough for colours.
double short_number(double v) { return std::round(v * 1e4) / 1e4; }

/// Slice n of the first axis.
Tensor part(const Tensor& all, std::int64_t n) { return ops::slice(autograd::Variable(all), 0, n, 1).value(); }

/// Where the picks that count lie: f(class, patch of the batch).
template <class F>
void each_pick(const Tensor& picks, const Tensor& counted, F&& f) {
  const std::int64_t n = picks.shape()[1];
  for (std::int64_t k = 0; k < picks.shape()[0]; ++k)
    for (std::int64_t i = 0; i < counted.data<std::int32_t>()[k]; ++i) f(k, picks.data<std::int32_t>()[k * n + i]);
}

/// The part of `parts` with most picks of foreground classes, of those from `first` on.
template <class F>
std::int64_t busiest(const Tensor& picks, const Tensor& counted, std::int64_t parts, std::int64_t first, F&& part_of) {
  std::vector<std::int64_t> count(std::size_t(parts), 0);
  each_pick(picks, counted, [&](std::int64_t k, std::int64_t patch) {
    if (const std::int64_t at = part_of(patch); k > 0 && at >= 0) ++count[std::size_t(at)];
  });
  return std::max_element(count.begin() + first, count.end()) - count.begin();
}

/// The most likely class of every voxel of a plane: [1,D,H,W,K] -> u8 [1,H,W].
Tensor classes_of_plane(const Tensor& map, std::int64_t z) {
  const Tensor plane = ops::slice(autograd::Variable(map), 1, z, 1).value(), classes = ops::most_likely(plane);
  return classes.to(engine::Dtype::u8).reshape({1, map.shape()[2], map.shape()[3]});
}

void add_affinity(MethodLook& look, const Tensor& graphs, std::int64_t which) {
  const std::int64_t n = graphs.shape()[1], shown = std::min(n, most);
  const Tensor one = part(graphs, which);
  const std::vector<double> a = one.to_doubles(), singular = ops::singular_values(one).to_doubles();
  for (std::int64_t i = 0; i < n; ++i) look.trace_share += a[std::size_t(i * n + i)] / double(n);
  look.norm_share = std::accumulate(singular.begin(), singular.end(), 0.0) / double(n);
  look.nodes = std::size_t(shown);
  for (std::int64_t i = 0; i < shown; ++i)
    for (std::int64_t j = 0; j < shown; ++j) look.affinity.push_back(short_number(a[std::size_t(i * n + j)]));
  for (std::int64_t i = 0; i < shown; ++i) look.singular.push_back(short_number(singular[std::size_t(i)]));
}

std::string name_of(std::int64_t step) { return fmt::format("step-{:07}.json", step); }

/// By their steps.
std::map<std::int64_t, fs::path> files_of(const fs::path& run) {
  std::map<std::int64_t, fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(run / "looks", missing)) {
    long step = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), "step-%ld", &step) == 1 && name == name_of(step)) files[step] = entry.path();
  }
  return files;
}

}  // namespace

void MethodLooks::look(semiagcl::Trainer& trainer, const fs::path& run) {
  const std::size_t phase = trainer.phases().at(trainer.steps_done());
  if (silent_.count(phase)) return;
  std::optional<MethodLook> seen;
  try {
    seen = method_look(trainer.watch({"A", "X", "C", "score", "picks", "counted"}), trainer.steps_done(),
                       trainer.settings().method);
  } catch (const engine::Error& e) {  // the step itself, if it fails, too, says more
    return say(fmt::format("note: no look at the method behind step {}: {}", trainer.steps_done(), e.what()));
  }
  if (seen) write_look(run, *seen);
  else silent_.insert(phase);
}

std::optional<MethodLook> method_look(const semiagcl::TensorWatch& shown, std::int64_t step,
                                      const semiagcl::Method& method) {
  const Tensor a = shown.find("A"), picks = shown.find("picks");
  if (!a.defined() && !picks.defined()) return {};
  MethodLook look;
  look.step = step;
  std::int64_t image = 0, first = 0;  // images before `first` have no graph
  if (picks.defined()) {
    const Tensor x = shown.find("X"), score = shown.find("score"), counted = shown.find("counted");
    const std::int64_t images = x.shape()[0], patches = score.shape()[1], classes = score.shape()[2];
    if (a.defined() && method.graph == semiagcl::GraphOver::image) first = images - a.shape()[0];
    image = busiest(picks, counted, images, first, [&](std::int64_t patch) { return patch / patches; });
    const engine::Extents& grid = method.patch_grid;
    const std::int64_t plane = grid[1] * grid[2];
    const std::int64_t slab = busiest(picks, counted, grid[0], 0, [&](std::int64_t patch) {
      return patch / patches == image ? patch % patches / plane : -1;
    });
    look.rows = grid[1], look.columns = grid[2];
    look.scores.resize(std::size_t(classes)), look.picks.resize(std::size_t(classes));
    for (std::int64_t p = 0; p < plane; ++p)
      for (std::int64_t k = 0; k < classes; ++k)
        look.scores[std::size_t(k)].push_back(
            short_number(score.data<float>()[(image * patches + slab * plane + p) * classes + k]));
    each_pick(picks, counted, [&](std::int64_t k, std::int64_t patch) {
      if (patch / patches == image && patch % patches / plane == slab) look.picks[std::size_t(k)].push_back(patch % plane);
    });
    const engine::Shape& s = x.shape();
    const std::int64_t z = (2 * slab + 1) * s[1] / (2 * grid[0]);
    const Tensor voxels = part(x, image).reshape({s[1], s[2], s[3], s[4]});
    OverlayCase one;
    one.image = part(screen_colours(voxels), z);
    one.prediction = classes_of_plane(part(shown.find("C"), image), z);
    one.truth = Tensor::zeros(one.prediction.shape(), engine::Dtype::u8);
    const OverlayPicture picture = overlay_picture(one, 224);
    look.picture = base64(picture.png), look.height = picture.height, look.width = picture.width;
  }
  if (a.defined()) add_affinity(look, a, a.shape()[0] > 1 ? image - first : 0);
  return look;
}

void write_look(const fs::path& run, const MethodLook& look) {
  const Json json = {{"schema_version", 1},       {"step", look.step},         {"nodes", look.nodes},
                     {"affinity", look.affinity}, {"trace", look.trace_share}, {"norm", look.norm_share},
                     {"singular", look.singular}, {"rows", look.rows},         {"columns", look.columns},
                     {"scores", look.scores},     {"picks", look.picks},       {"height", look.height},
                     {"width", look.width},       {"picture", look.picture}};
  fs::create_directories(run / "looks");
  engine::write_file_atomically(run / "looks" / name_of(look.step), json_text(json) + "\n");
}

std::vector<MethodLook> read_looks(const fs::path& run) {
  std::vector<MethodLook> looks;
  for (const auto& [step, file] : files_of(run)) {
    const Json json = Json::parse(engine::read_file(file), nullptr, false);
    try {
      MethodLook look{.step = json.at("step"),
                      .affinity = json.at("affinity"),
                      .nodes = json.at("nodes"),
                      .trace_share = json.at("trace"),
                      .norm_share = json.at("norm"),
                      .singular = json.at("singular"),
                      .picture = json.at("picture"),
                      .height = json.at("height"),
                      .width = json.at("width"),
                      .rows = json.at("rows"),
                      .columns = json.at("columns"),
                      .scores = json.at("scores"),
                      .picks = json.at("picks")};
      const bool whole = look.affinity.size() == look.nodes * look.nodes && look.picks.size() == look.scores.size();
      if (!whole) throw std::out_of_range("its parts do not fit together");
      for (const auto& of_class : look.scores)
        if (std::int64_t(of_class.size()) != look.rows * look.columns)
          throw std::out_of_range("a score per patch is needed");
      looks.push_back(std::move(look));
    } catch (const std::exception& e) {
      engine::fail<engine::DataError>("{}: this look at the method cannot be read ({}); remove it", file.string(), e.what());
    }
  }
  return looks;
}

void forget_looks(const fs::path& run, std::int64_t step) {
  for (const auto& [at, file] : files_of(run))
    if (at > step) fs::remove(file);
}

}  // namespace sagcl::tools
