#include "datasets/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/random.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::fail;
using engine::require;

namespace {

using Names = std::vector<std::string>;

std::int64_t count_of(const Amount& amount, std::int64_t n, const char* what) {
  if (const auto* count = std::get_if<std::int64_t>(&amount)) {
    require<DataError>(*count >= 0, "split: {} is {}, it cannot be negative", what, *count);
    return *count;
  }
  const double share = std::get<double>(amount);
  require<DataError>(share >= 0 && share <= 1, "split: the share {} for {} must lie between 0 and 1", share, what);
  return share == 0 ? 0 : std::max<std::int64_t>(1, std::llround(share * double(n)));
}

/// Patients of `among` who have a label, in its order.
Names with_label(const Names& among, const Dataset& data) {
  std::set<std::string> labelled;
  for (const Case& one : data.cases)
    if (one.has_label()) labelled.insert(one.patient);
  Names found;
  std::copy_if(among.begin(), among.end(), std::back_inserter(found), [&](const auto& p) { return labelled.count(p) > 0; });
  return found;
}

/// n of the patients, evenly: every k-th where that gives n.
std::set<std::string> take_every(const Names& patients, std::int64_t n) {
  const std::int64_t all = std::int64_t(patients.size()),
                     step = std::max<std::int64_t>(1, std::llround(double(all) / double(n)));
  std::set<std::string> taken;
  for (std::int64_t i = 0; i < all; i += step) taken.insert(patients[std::size_t(i)]);
  if (std::int64_t(taken.size()) == n) return taken;
  taken.clear();
  for (std::int64_t i = 0; i < n; ++i) taken.insert(patients[std::size_t(i * all / n)]);
  return taken;
}

/// Takes the patients of one part out of `left`, which stays in its order: a number or share of those with a label, or
/// whoever is named.
std::set<std::string> take_patients(Names& left, const Amount& amount, std::int64_t all, SplitRule::Pick pick,
                                    const Dataset& data, const char* what) {
  std::set<std::string> taken;
  if (const auto* ids = std::get_if<Names>(&amount)) {
    for (const std::string& id : *ids)
      taken.insert(std::find(left.begin(), left.end(), id) != left.end() ? id : find_case(data, id).patient);
    for (const std::string& patient : taken)
      require<DataError>(std::find(left.begin(), left.end(), patient) != left.end(),
                         "split: patient {} of the {} list is also in another part", patient, what);
  } else if (const std::int64_t n = count_of(amount, all, what); n > 0) {
    const Names labelled = with_label(left, data);
    require<DataError>(n < std::int64_t(labelled.size()),
                       "split: {} {} patients asked for, {} with a label are left; training needs at least one", n, what,
                       labelled.size());
    if (pick == SplitRule::Pick::every) taken = take_every(labelled, n);
    else taken.insert(labelled.end() - n, labelled.end());  // in name order or permuted
  }
  std::erase_if(left, [&](const std::string& patient) { return taken.count(patient) > 0; });
  return taken;
}

/// Takes the patients of a fold out of `left`.
std::set<std::string> take_fold(Names& left, const Dataset& data, const SplitRule& rule) {
  const Names candidates = with_label(left, data);
  require<DataError>(
      rule.folds >= 2 && rule.fold >= 0 && rule.fold < rule.folds && rule.folds <= std::int64_t(candidates.size()),
      "split: fold {} of {} cannot be made of {} patients with a label; folds are numbered from 0, and each needs "
      "a patient",
      rule.fold, rule.folds, candidates.size());
  std::set<std::string> taken;
  for (std::size_t i = std::size_t(rule.fold); i < candidates.size(); i += std::size_t(rule.folds))
    taken.insert(candidates[i]);
  std::erase_if(left, [&](const std::string& patient) { return taken.count(patient) > 0; });
  return taken;
}

/// The cases of block number `rule.seed` of the patients.
Names block_of_patients(const Names& candidates, const Dataset& data, const SplitRule& rule) {
  std::map<std::string, Names> cases;
  Names patients;
  for (const std::string& id : candidates) {
    Names& own = cases[find_case(data, id).patient];
    if (own.empty()) patients.push_back(find_case(data, id).patient);
    own.push_back(id);
  }
  const std::int64_t all = std::int64_t(patients.size()), n = count_of(rule.labelled, all, "labelled");
  require<DataError>(n >= 1 && n <= all, "split: {} labelled patients asked for, the training part has {} with a label", n,
                     all);
  Names picked;
  const std::int64_t begin = std::int64_t(rule.seed % std::uint64_t(all)) * n;
  for (std::int64_t i = 0; i < n; ++i) {
    const Names& own = cases[patients[std::size_t((begin + i) % all)]];
    picked.insert(picked.end(), own.begin(), own.end());
  }
  return picked;
}

Names pick_labelled(const Names& candidates, const Dataset& data, const SplitRule& rule) {
  if (const auto* ids = std::get_if<Names>(&rule.labelled)) {
    Names picked;
    for (const std::string& id : *ids) {
      const std::size_t before = picked.size();
      for (const std::string& candidate : candidates)
        if (candidate == id || find_case(data, candidate).patient == id) picked.push_back(candidate);
      require<DataError>(picked.size() > before,
                         "split: {} of the labelled list is not a training case with a label, nor their patient", id);
    }
    return picked;
  }
  if (rule.labelled_pick == SplitRule::Labelled::block) return block_of_patients(candidates, data, rule);
  const std::int64_t m = std::int64_t(candidates.size()), n = count_of(rule.labelled, m, "labelled");
  require<DataError>(n >= 1 && n <= m, "split: {} labelled cases asked for, the training part has {} with a label", n, m);
  Names picked;
  const std::vector<std::int64_t> order = engine::Generator(rule.seed, "labelled cases").permutation(m);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t spread = n == 1 ? 0 : std::llround(double(i) * double(m - 1) / double(n - 1));
    picked.push_back(candidates[std::size_t(rule.labelled_pick == SplitRule::Labelled::first    ? i
                                            : rule.labelled_pick == SplitRule::Labelled::spread ? spread
                                                                                                : order[std::size_t(i)])]);
  }
  return picked;
}

}  // namespace

const Case& find_case(const Dataset& data, const std::string& id) {
  for (const std::vector<Case>* part : {&data.cases, &data.validation, &data.test})
    for (const Case& one : *part)
      if (one.id == id) return one;
  fail<DataError>("{}: has no case {}; the cases are named after their files", data.folder.string(), id);
}

Split make_split(const Dataset& data, const SplitRule& rule) {
  std::set<std::string> unique;
  for (const Case& one : data.cases) unique.insert(one.patient);
  Names left(unique.begin(), unique.end());
  const std::int64_t all = std::int64_t(left.size());
  if (rule.pick == SplitRule::Pick::seeded) {
    const Names sorted = left;
    const std::vector<std::int64_t> order = engine::Generator(rule.seed, "patients").permutation(all);
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = sorted[std::size_t(order[i])];
  }
  const std::int64_t labelled = std::int64_t(with_label(left, data).size());  // what shares are of
  const std::set<std::string> test = take_patients(left, rule.test, labelled, rule.pick, data, "test");
  const std::set<std::string> validation =
      rule.folds != 0 ? take_fold(left, data, rule)
                      : take_patients(left, rule.validation, labelled, rule.pick, data, "validation");

  Split split;
  Names training, candidates;
  for (const Case& one : data.cases) {
    if (test.count(one.patient)) {
      if (one.has_label()) split.test.push_back(one.id);
    } else if (validation.count(one.patient)) {
      if (one.has_label()) split.validation.push_back(one.id);
    } else {
      training.push_back(one.id);
      if (one.has_label()) candidates.push_back(one.id);
    }
  }
  for (const Case& one : data.validation)
    if (one.has_label()) split.validation.push_back(one.id);
  for (const Case& one : data.test)
    if (one.has_label()) split.test.push_back(one.id);
  split.labelled = pick_labelled(candidates, data, rule);
  const std::set<std::string> used(split.labelled.begin(), split.labelled.end());
  for (const std::string& id : training)
    if (!used.count(id)) split.unlabelled.push_back(id);
  check_split(data, split);
  return split;
}

void check_split(const Dataset& data, const Split& split) {
  std::set<std::string> seen;
  std::map<std::string, std::pair<std::string, std::string>> part_of;  // patient -> part, case
  const auto check = [&](const Names& ids, const std::string& part, bool needs_label) {
    for (const std::string& id : ids) {
      const Case& one = find_case(data, id);
      require<DataError>(seen.insert(id).second, "split: case {} is named twice", id);
      require<DataError>(!needs_label || one.has_label(),
                         "split: case {} is in the {} part but has no label; add one or move the case", id, part);
      const auto& [first_part, first_case] = part_of.emplace(one.patient, std::pair(part, id)).first->second;
      require<DataError>(first_part == part,
                         "split: patient {} is in two parts, {} (case {}) and {} (case {}); move its cases into one part",
                         one.patient, first_part, first_case, part, id);
    }
  };
  for (const std::string& id : split.labelled)
    require<DataError>(find_case(data, id).has_label(), "split: case {} is listed as labelled but has no label", id);
  check(split.labelled, "training", true);
  check(split.unlabelled, "training", false);
  check(split.validation, "validation", true);
  check(split.test, "test", true);
  require<DataError>(!split.labelled.empty(), "split: the training part has no labelled case");
}

}  // namespace sagcl::datasets
