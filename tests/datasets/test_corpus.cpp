#include <gtest/gtest.h>

#include "datasets/formats/array_file.h"
#include "datasets/formats/nifti.h"
#include "datasets/formats/nrrd.h"
#include "datasets/formats/png.h"
#include "datasets/layouts/layouts.h"
#include "datasets/split.h"
#include "engine/files/read_file.h"
#include "engine/files/safetensors.h"
#include "tests/datasets/scratch.h"

// The seeds and findings of the fuzzers, replayed without them: each file is read or refused with a DataError.
namespace sagcl::tests {
namespace {

using namespace sagcl::datasets;

template <class... Readers>
void replay(const std::string& target, std::size_t at_least, Readers... readers) {
  std::size_t files = 0;
  const std::filesystem::path corpus = std::filesystem::path(SAGCL_SOURCE_DIR) / "tests/fuzz/corpus" / target;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) {
    SCOPED_TRACE(entry.path());
    const auto attempt = [&](auto read) {
      try {
        read(engine::read_file(entry.path()));
      } catch (const engine::DataError& e) { EXPECT_GT(std::string(e.what()).size(), 10u); }
    };
    (attempt(readers), ...);
    ++files;
  }
  EXPECT_GE(files, at_least);
}

TEST(Corpus, Nifti) {
  replay("fuzz_nifti", 7, [](const std::string& b) { decode_nifti(b, "corpus"); });
}
TEST(Corpus, Nrrd) {
  replay("fuzz_nrrd", 25, [](const std::string& b) { decode_nrrd(b, "corpus", [&](const std::string&) { return b; }); });
}
TEST(Corpus, Npy) {
  replay("fuzz_npy", 5, [](const std::string& b) { decode_npy(b, "corpus"); });
}
TEST(Corpus, Hdf5) {
  replay(
      "fuzz_hdf5", 7, [](const std::string& b) { decode_hdf5(b, "corpus", "image"); },
      [](const std::string& b) { decode_hdf5(b, "corpus", "label"); });
}
TEST(Corpus, Png) {
  replay(
      "fuzz_png", 13, [](const std::string& b) { decode_png(b, "corpus"); },
      [](const std::string& b) { decode_png_label(b, "corpus"); });
}
TEST(Corpus, Json) {
  replay(
      "fuzz_json", 5, [](const std::string& b) { parse_dataset_json(b, "corpus"); },
      [](const std::string& b) { parse_split(b, "corpus"); }, [](const std::string& b) { parse_list_tsv(b, "corpus"); });
}
TEST(Corpus, Safetensors) {
  Scratch s;
  replay("fuzz_safetensors", 5, [&](const std::string& b) {
    put(s / "file", b);
    engine::read_safetensors(s / "file");
  });
}

}  // namespace
}  // namespace sagcl::tests
