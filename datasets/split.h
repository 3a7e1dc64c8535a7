#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "datasets/layouts/layouts.h"

namespace sagcl::datasets {

/// How many, which share, or exactly which: 8, 0.05 or {"la_003", "la_017"}.
using Amount = std::variant<std::int64_t, double, std::vector<std::string>>;

/// How a data set is divided. Patients, never cases, are divided between training, validation and test.
struct SplitRule {
  enum class Pick {
    last,    ///< in name order: the last patients are test, those before them validation
    every,   ///< test is every n-th patient in name order, beginning with the first; likewise validation in the rest
    seeded,  ///< a seeded permutation of the patients
  };
  enum class Labelled {
    first,   ///< the first in the order of the data set: of its list, else by name
    spread,  ///< evenly spaced in name order, both ends included: position round(i (m - 1) / (n - 1))
    seeded,  ///< a seeded permutation
    /// whole patients, whom `labelled` counts then: of the P patients with a label, in the order of the data set, numbers
    /// seed * n … seed * n + n - 1 modulo P, so that successive seeds label other patients until all have had their turn
    block,
  };
  Pick pick = Pick::last;
  /// patients: a count or a share of those with a label, or ids of patients or cases; the folder's own test cases come on
  /// top
  Amount test = std::int64_t(0);
  Amount validation = std::int64_t(0);  ///< as test
  /// Cross-validation, where `folds` is not 0: of the patients with a label that the test leaves, in the order of `pick`,
  /// numbers fold, fold + folds, fold + 2 folds, … are validation, instead of those of `validation`. Patients without a
  /// label are training in every fold.
  std::int64_t fold = 0, folds = 0;
  Labelled labelled_pick = Labelled::first;
  Amount labelled = 1.0;   ///< cases of the training part whose label is used: a count, a share, or ids of cases or patients
  std::uint64_t seed = 0;  ///< of the seeded picks, and the number of the block
};

/// A division of a data set by case id. Cases of `unlabelled` may have a label on disk; training must not read it.
struct Split {
  std::vector<std::string> labelled, unlabelled, validation, test;
  std::map<std::string, std::string> hashes;  ///< case id -> SHA-256 of its files, label included; may be empty
};

/// Divides the cases. A share counts round(share * n), at least 1 if it is above 0. DataError if ids are unknown, parts
/// overlap, nothing remains for training, there are fewer patients with a label than folds, or more labels are asked for
/// than exist.
Split make_split(const Dataset& data, const SplitRule& rule);

/// DataError if a case is named twice, unknown, or missing its label where one is needed (labelled, validation, test), or if
/// cases of one patient are in more than one of training, validation and test. Names the patient and the cases.
void check_split(const Dataset& data, const Split& split);

/// Writes the split with the hash of every case as JSON, atomically; those in split.hashes are taken as they are.
void write_split(const std::filesystem::path& file, const Dataset& data, const Split& split);
/// Reads it back and checks it: check_split, and every hash against the files on disk. DataError names the changed case;
/// with `renewed`, validation and test cases may have changed and their ids are added to it.
Split read_split(const std::filesystem::path& file, const Dataset& data, std::vector<std::string>* renewed = nullptr);
/// Only the JSON, without the data set; used by read_split and by the fuzzer.
Split parse_split(std::string_view text, const std::string& name);

/// SHA-256 over the hashes of the files of a case, images in channel order, then the label.
std::string hash_of(const Case& one);

/// The case with this id, among the training and the test cases; DataError if there is none.
const Case& find_case(const Dataset& data, const std::string& id);

}  // namespace sagcl::datasets
