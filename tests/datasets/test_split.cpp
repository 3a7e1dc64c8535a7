#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "datasets/phantom.h"
#include "datasets/sha256.h"
#include "datasets/split.h"
#include "tests/datasets/scratch.h"

namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;
using engine::DataError;
using Names = std::vector<std::string>;
using Pick = SplitRule::Pick;
using Labelled = SplitRule::Labelled;

/// Cases c00, c01, ...; `per_patient` consecutive ones belong to one patient; every `unlabelled_every`-th has no label.
Dataset made_up(int n, int per_patient = 1, int unlabelled_every = 1000) {
  Dataset d;
  d.classes = {"background", "organ"};
  for (int i = 0; i < n; ++i)
    d.cases.push_back({fmt::format("c{:02}", i),
                       fmt::format("p{:02}", i / per_patient),
                       {"image"},
                       i % unlabelled_every == unlabelled_every - 1 ? "" : "label"});
  return d;
}

TEST(Split, HippocampusOfTheRepository) {
  const Dataset d = open_dataset(std::filesystem::path(SAGCL_SOURCE_DIR) / "data/hippocampus");
  const Split s = make_split(d, {.pick = Pick::last, .test = 4, .labelled = 8});
  EXPECT_EQ(s.labelled.size(), 8u);
  EXPECT_EQ(s.labelled[7], "hippocampus_017");
  EXPECT_EQ(s.unlabelled.size(), 8u);
  EXPECT_EQ(s.unlabelled[0], "hippocampus_019");
  EXPECT_EQ(s.test.size(), 4u);
  EXPECT_EQ(s.test[0], "hippocampus_389");
}

TEST(Split, LastTakesTestThenValidation) {
  const Split s = make_split(made_up(10), {.test = 0.2, .validation = 1, .labelled = 0.3});
  EXPECT_EQ(s.test, (Names{"c08", "c09"}));
  EXPECT_EQ(s.validation, (Names{"c07"}));
  EXPECT_EQ(s.labelled, (Names{"c00", "c01"}));  // 0.3 of 7 is 2.1
  EXPECT_EQ(s.unlabelled, (Names{"c02", "c03", "c04", "c05", "c06"}));
}

TEST(Split, EveryFifthPatient) {
  const Split s =
      make_split(made_up(12), {.pick = Pick::every, .test = 0.2, .labelled_pick = Labelled::spread, .labelled = 3});
  EXPECT_EQ(s.test, (Names{"c00", "c06"}));             // 12 patients, 2 of them: every sixth
  EXPECT_EQ(s.labelled, (Names{"c01", "c07", "c11"}));  // of c01..c05, c07..c11: positions 0, 4.5 rounded up, 9
}

TEST(Split, PatientsStayTogether) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Dataset d = made_up(30, 3);
    const Split s = make_split(
        d,
        {.pick = Pick::seeded, .test = 3, .validation = 2, .labelled_pick = Labelled::seeded, .labelled = 4, .seed = seed});
    EXPECT_EQ(s.test.size(), 9u);
    EXPECT_EQ(s.validation.size(), 6u);
    EXPECT_EQ(s.labelled.size() + s.unlabelled.size(), 15u);
    EXPECT_NO_THROW(check_split(d, s));
  }
}

TEST(Split, ABlockOfPatientsForEverySeed) {
  Dataset d = made_up(10, 2);                                        // patients p00 .. p04 with two cases each
  std::rotate(d.cases.begin(), d.cases.begin() + 4, d.cases.end());  // in the order p02, p03, p04, p00, p01
  const auto labelled = [&](std::uint64_t seed, Amount amount) {
    return make_split(d, {.labelled_pick = Labelled::block, .labelled = std::move(amount), .seed = seed}).labelled;
  };
  EXPECT_EQ(labelled(0, 2), (Names{"c04", "c05", "c06", "c07"}));
  EXPECT_EQ(labelled(1, 2), (Names{"c08", "c09", "c00", "c01"}));
  EXPECT_EQ(labelled(2, 2), (Names{"c02", "c03", "c04", "c05"}));  // p01, then p02 again
  EXPECT_EQ(labelled(5, 2), labelled(0, 2));
  EXPECT_EQ(labelled(~std::uint64_t(0), 1), labelled(0, 1));  // 2^64 - 1 is a multiple of 5
  EXPECT_EQ(labelled(0, 0.4), labelled(0, 2));                // of the patients
  EXPECT_EQ(labelled(3, 1.0).size(), 10u);
  EXPECT_EQ(labelled(7, Names{"p04"}), (Names{"c08", "c09"}));  // ids are ids
  d.cases[0].label.clear(), d.cases[1].label.clear();           // p02 has no label: the first is p03
  EXPECT_EQ(labelled(0, 1), (Names{"c06", "c07"}));
  expect_error([&] { labelled(0, 5); }, {"5 labelled patients", "has 4"});
  expect_error([&] { labelled(0, 0); }, {"0 labelled patients"});
}

TEST(Split, FoldsDivideThePatientsWithALabel) {
  const Dataset d = made_up(24, 2, 4);  // patients p00 .. p11; every second has one case without a label
  Dataset some = d;
  for (datasets::Case& one : some.cases)
    if (one.patient == "p01" || one.patient == "p05") one.label.clear();
  std::map<std::string, int> seen;
  for (std::int64_t k = 0; k < 3; ++k) {
    const Split s = make_split(some, {.test = 2, .validation = 5, .fold = k, .folds = 3});  // p10, p11; 5 does not count
    check_split(some, s);
    std::set<std::string> patients;
    for (const std::string& id : s.validation) patients.insert(find_case(some, id).patient);
    for (const std::string& patient : patients) ++seen[patient];
    EXPECT_GE(patients.size(), 2u);
    EXPECT_EQ(std::ranges::count(s.unlabelled, "c02"), 1);  // of p01, in every fold
    EXPECT_EQ(s.test.size(), 3u);
  }
  EXPECT_EQ(seen, (std::map<std::string, int>{
                      {"p00", 1}, {"p02", 1}, {"p03", 1}, {"p04", 1}, {"p06", 1}, {"p07", 1}, {"p08", 1}, {"p09", 1}}));
  const auto labelled = [&](std::int64_t k) { return make_split(some, {.fold = k, .folds = 5, .labelled = 2}).labelled; };
  EXPECT_EQ(labelled(0), (Names{"c04", "c05"}));  // p00 is the fold, p01 has no label
  EXPECT_EQ(labelled(1), (Names{"c00", "c01"}));
  expect_error([&] { make_split(some, {.fold = 0, .folds = 11}); }, {"fold 0 of 11", "10 patients with a label"});
  expect_error([&] { make_split(some, {.fold = 3, .folds = 3}); }, {"fold 3 of 3"});
}

TEST(Split, SeededIsRepeatableAndSeedsDiffer) {
  const Dataset d = made_up(40);
  const auto test_of = [&](std::uint64_t seed) {
    return make_split(d, {.pick = Pick::seeded, .test = 10, .seed = seed}).test;
  };
  EXPECT_EQ(test_of(1), test_of(1));
  EXPECT_NE(test_of(1), test_of(2));
}

TEST(Split, ListsOfIds) {
  const Split s = make_split(made_up(6), {.test = Names{"c02"}, .labelled = Names{"c05", "c00"}});
  EXPECT_EQ(s.test, (Names{"c02"}));
  EXPECT_EQ(s.labelled, (Names{"c05", "c00"}));
  EXPECT_EQ(s.unlabelled, (Names{"c01", "c03", "c04"}));
}

TEST(Split, UnlabelledCasesAreUsedAndNeverTested) {
  const Split s = make_split(made_up(10, 1, 5), {.test = 2, .labelled = 1.0});
  EXPECT_EQ(s.test, (Names{"c07", "c08"}));
  EXPECT_EQ(s.unlabelled, (Names{"c04", "c09"}));
  EXPECT_EQ(make_split(made_up(10, 1, 5), {.test = 0.25, .labelled = 1.0}).test, s.test)
      << "a share is of those with a label";
}

TEST(Split, EveryTakesAsManyAsAskedFor) {
  for (int patients = 2; patients <= 40; ++patients)
    for (int n = 1; n < patients; ++n) {
      const Split s = make_split(made_up(patients), {.pick = SplitRule::Pick::every, .test = n, .labelled = 1.0});
      ASSERT_EQ(s.test.size(), std::size_t(n)) << patients;
      ASSERT_EQ(s.labelled.size(), std::size_t(patients - n));
    }
  EXPECT_EQ(make_split(made_up(9), {.pick = SplitRule::Pick::every, .test = 3}).test, (Names{"c00", "c03", "c06"}));
}

TEST(SplitMalformed, Refusals) {
  const Dataset d = made_up(6, 2);
  expect_error([&] { make_split(d, {.test = 3}); }, {"3 test patients", "3 with a label are left"});
  expect_error([&] { make_split(d, {.labelled = 7}); }, {"7 labelled", "has 6"});
  expect_error([&] { make_split(d, {.labelled = 0}); }, {"0 labelled"});
  expect_error([&] { make_split(d, {.test = -1}); }, {"-1"});
  expect_error([&] { make_split(d, {.test = 1.5}); }, {"1.5"});
  expect_error([&] { make_split(d, {.test = Names{"nobody"}}); }, {"no case nobody"});
  expect_error([&] { make_split(d, {.test = Names{"c00"}, .validation = Names{"c01"}}); }, {"patient p00", "validation"});
  expect_error([&] { make_split(d, {.test = Names{"c00"}, .labelled = Names{"c01"}}); }, {"c01", "not a training case"});
  expect_error([&] { check_split(d, {{"c00"}, {}, {}, {"c01"}, {}}); }, {"patient p00", "two parts", "c00", "c01"});
  expect_error([&] { check_split(d, {{"c00"}, {"c00"}, {}, {}, {}}); }, {"c00", "twice"});
  expect_error([&] { check_split(d, {{}, {"c00"}, {}, {}, {}}); }, {"no labelled case"});
}

/// Frames of one patient in the folder's own test part are noticed too.
TEST(SplitMalformed, APatientInTrainingAndTheTestFolder) {
  Dataset d = made_up(4);
  d.test.push_back({"other", "p01", {"image"}, "label"});
  expect_error([&] { make_split(d, {}); }, {"patient p01", "training", "test"});
}

TEST(SplitFile, RoundTripAndChangedFiles) {
  Scratch scratch;
  write_phantoms(scratch / "set", {.extents = {{2, 3, 4}}}, 4, 2, 1);
  const Dataset d = open_dataset(scratch / "set");
  const Split s = make_split(d, {.labelled = 2});
  write_split(scratch / "split.json", d, s);
  const Split back = read_split(scratch / "split.json", d);
  EXPECT_EQ(back.labelled, s.labelled);
  EXPECT_EQ(back.unlabelled, s.unlabelled);
  EXPECT_EQ(back.test, s.test);
  EXPECT_EQ(back.hashes.size(), 7u);
  put(d.cases[3].images[0], "changed");
  expect_error([&] { read_split(scratch / "split.json", d); }, {"split.json", "case phantom_003", "changed"});
}

TEST(SplitFile, Malformed) {
  const auto refused = [](const std::string& text, std::initializer_list<std::string> parts) {
    expect_error([&] { parse_split(text, "split.json"); }, parts);
  };
  refused("{}", {"split.json", "not a split file"});
  refused(R"({"format": "sagcl split 1"})", {"'labelled'"});
  refused(R"({"format": "sagcl split 1", "labelled": [1], "unlabelled": [], "validation": [], "test": [], "sha256": {}})",
          {"it holds 1"});
  refused(R"({"format": "sagcl split 1", "labelled": [], "unlabelled": [], "validation": [], "test": []})", {"sha256"});
}

/// The examples of FIPS 180-4's companion, and both sides of the padding's edge.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace sagcl::tests
