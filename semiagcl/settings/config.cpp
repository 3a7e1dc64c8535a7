#include "semiagcl/settings/config.h"

#include <map>

#include "engine/error.h"
#include "semiagcl/settings/setting_text.h"

namespace sagcl::semiagcl {

using engine::fail;
using engine::require;
using engine::UsageError;

Method paper() { return {}; }

Method stable() {
  Method m;
  m.preset = "stable";
  m.consistency = Consistency::dice_ce_argmax;  // cosine .8 with the true-label gradient; soft CE .0 to .4
  m.c_nuc = 0.5;  // with equal weights the loss is 0 for every symmetric PSD A and hardly asks for agreement
  m.w_pl = 0.2;
  m.w_rw = 0.1;  // at 1 its gradient in the encoder is 5 to 10 times the supervised one
  return m;
}

Method mixed() {
  Method m = stable();
  m.preset = "mixed";
  m.mask = true;
  m.w_reg = 0.5;       // of the pseudo-labelled regions, as BCP's; without a ramp, since true voxels stand beside them
  m.ema_decay = 0.99;  // BCP's
  return m;
}

Method preset(const std::string& name) {
  if (name == "paper") return paper();
  if (name == "stable") return stable();
  if (name == "mixed") return mixed();
  fail<UsageError>("preset {} is unknown; there are paper, stable and mixed", name);
}

namespace {
void positive(const char* field, double v) { require<UsageError>(v > 0, "{} is {}, it must be above 0", field, v); }
void within(const char* field, double v, double low, double high) {
  require<UsageError>(v >= low && v <= high, "{} is {}, it must lie in [{}, {}]", field, v, low, high);
}
}  // namespace

void check(const Method& m) {
  for (int a = 0; a < 3; ++a) positive("patch_grid", double(m.patch_grid[a]));
  within("low_percentile", m.low_percentile, 0, 100), within("high_percentile", m.high_percentile, 0, 100);
  require<UsageError>(m.low_percentile < m.high_percentile, "low_percentile {} is not below high_percentile {}",
                      m.low_percentile, m.high_percentile);
  positive("top_n", double(m.top_n)), within("top_n_share", m.top_n_share, 1e-9, 1);
  within("min_confidence", m.min_confidence, 0, 1);
  positive("bandwidth_fixed", m.bandwidth_fixed), positive("bandwidth2_low", m.bandwidth2_low);
  require<UsageError>(m.bandwidth2_low <= m.bandwidth2_high, "bandwidth2_low {} is above bandwidth2_high {}",
                      m.bandwidth2_low, m.bandwidth2_high);
  within("drop", m.drop, 0, 1), positive("tau", m.tau);
  positive("bank_size", double(m.bank_size)), positive("n_closest", double(m.n_closest));
  positive("n_hard", double(m.n_hard)), positive("min_negatives", double(m.min_negatives));
  within("threshold_start", m.threshold_start, 0, 1), within("threshold_decay", m.threshold_decay, 0, 1);
  within("threshold_low", m.threshold_low, 0, m.threshold_high), within("threshold_high", m.threshold_high, 0, 1);
  positive("projection_hidden", double(m.projection_hidden)), positive("projection_dim", double(m.projection_dim));
  within("w_reg", m.w_reg, 0, 1e6), within("w_pl", m.w_pl, 0, 1e6), within("w_rw", m.w_rw, 0, 1e6);
  within("min_target", m.min_target, 0, 1);
  within("ramp_share", m.ramp_share, 0, 1), within("ema_decay", m.ema_decay, 0, 1);
  within("warm_up_share", m.warm_up_share, 0, 1);
}

#define SAGCL_NAMES(type, ...)                               \
  const std::vector<std::string>& names(type) {              \
    static const std::vector<std::string> list{__VA_ARGS__}; \
    return list;                                             \
  }
SAGCL_NAMES(Kernel, "l2", "l1", "none")
SAGCL_NAMES(Sign, "resolved", "printed")
SAGCL_NAMES(Bandwidth, "adaptive", "fixed")
SAGCL_NAMES(PatchVector, "flat", "mean")
SAGCL_NAMES(GraphOver, "image", "batch")
SAGCL_NAMES(Score, "entropy", "confidence", "cosine")
SAGCL_NAMES(Mixing, "affinity", "one_to_one", "random", "none")
SAGCL_NAMES(Embedding, "patch", "roi")
SAGCL_NAMES(Consistency, "soft_ce", "sharpened_ce", "ce_argmax", "dice_ce_argmax", "mse")
SAGCL_NAMES(PatchNorm, "frozen", "tracked")
SAGCL_NAMES(Evaluated, "student", "teacher")
#undef SAGCL_NAMES

void set(Method& m, const std::string& name, const std::string& value) {
  bool known = false;
  for_each_setting(m, [&](const char* field, auto& v) {
    if (name != field) return;
    known = true;
    require<UsageError>(read_value(value, v), "{} = {} is not understood; it takes {}", name, value, allowed(v));
  });
  std::string all;
  if (!known) for_each_setting(m, [&](const char* field, auto&) { all += all.empty() ? field : std::string(", ") + field; });
  require<UsageError>(known, "there is no setting {}; the method has {}", name, all);
}

Method with_preset(const Method& m, const std::string& name) {
  std::map<std::string, std::string> before;
  const Method old = preset(m.preset);
  for_each_setting(old, [&](const char* field, const auto& v) { before[field] = text_of(v); });
  Method chosen = preset(name);
  for_each_setting(m, [&](const char* field, const auto& v) {
    if (text_of(v) != before[field]) set(chosen, field, text_of(v));
  });
  return chosen;
}

}  // namespace sagcl::semiagcl
