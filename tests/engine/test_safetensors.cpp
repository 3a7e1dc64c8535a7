#include <gtest/gtest.h>

#include <unistd.h>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/files/read_file.h"
#include "engine/files/safetensors.h"
#include "tests/support/golden.h"
#include "tests/support/throws.h"

namespace sagcl::tests {
namespace {

using engine::Dtype;
namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  /// A file with this header and as many data bytes.
  fs::path file(const std::string& header, std::size_t data_bytes = 0) {
    const std::uint64_t size = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &size, 8);
    return raw(bytes + header + std::string(data_bytes, '\1'));
  }
  fs::path raw(const std::string& bytes) {
    std::ofstream(folder_ / "x.safetensors", std::ios::binary) << bytes;
    return folder_ / "x.safetensors";
  }
  testing::AssertionResult refused(const fs::path& f, const std::string& why) {
    return throws<engine::DataError>([&] { engine::read_safetensors(f); }, why);
  }
  fs::path folder_ = fs::temp_directory_path() / ("sagcl-safetensors-" + std::to_string(::getpid()));
};

TEST_F(Safetensors, ReadsWhatItWrote) {
  engine::TensorFile content;
  content.tensors["a"] = random_tensor({2, 3}, 1, Dtype::f32);
  content.tensors["b.c"] = random_tensor({4}, 2, Dtype::f64);
  content.tensors["labels"] = Tensor::of<std::int32_t>({2}, {-1, 7});
  content.tensors["mask"] = Tensor::of<std::uint8_t>({3}, {0, 1, 255});
  content.tensors["scalar"] = Tensor::of<float>({}, {5});
  content.tensors["nothing"] = Tensor::zeros({0, 4});
  content.notes["made by"] = "a test with \"quotes\"";
  engine::write_safetensors(folder_ / "t.safetensors", content);
  const engine::TensorFile back = engine::read_safetensors(folder_ / "t.safetensors");
  EXPECT_EQ(back.notes, content.notes);
  ASSERT_EQ(back.tensors.size(), content.tensors.size());
  for (const auto& [name, t] : content.tensors) EXPECT_TRUE(identical(back.tensors.at(name), t)) << name;
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);  // no temporary file is left behind
  EXPECT_TRUE(engine::safetensors_bytes(content) == engine::read_file(folder_ / "t.safetensors"));
}

/// Tensors that are stored as they are used lie in the file; to write to one changes neither the file nor another mapping.
TEST_F(Safetensors, MapsWhatItReads) {
  engine::TensorFile content;
  content.tensors["image"] = Tensor::of<float>({2, 2}, {1, -2, 3, 4});
  content.tensors["label"] = Tensor::of<std::uint8_t>({3}, {7, 8, 9});
  content.tensors["sum"] = Tensor::of<double>({1}, {0.1});
  content.tensors["count"] = Tensor::of<std::int32_t>({1}, {-5});
  content.notes["who"] = "me";
  const fs::path file = folder_ / "t.safetensors";
  engine::write_safetensors(file, content);
  engine::TensorFile mapped = engine::map_safetensors(file);
  EXPECT_EQ(mapped.notes, content.notes);
  for (const auto& [name, t] : content.tensors) {
    EXPECT_TRUE(identical(mapped.tensors.at(name), t)) << name;
    EXPECT_TRUE(mapped.tensors.at(name).is_borrowed()) << name;
  }
  mapped.tensors.at("image").data<float>()[0] = 100;
  EXPECT_TRUE(identical(engine::map_safetensors(file).tensors.at("image"), content.tensors.at("image")));
  EXPECT_TRUE(identical(engine::read_safetensors(file).tensors.at("image"), content.tensors.at("image")));
  const Tensor image = mapped.tensors.at("image");
  mapped = {};
  fs::remove(file);  // replaced or removed files live on as long as they are mapped
  EXPECT_EQ(image.to_vector<float>(), (std::vector<float>{100, -2, 3, 4}));
}

/// Elements that lie askew in the file, or are stored in another type, are copied as read_safetensors does.
TEST_F(Safetensors, MapsFilesOfOthersToo) {
  const fs::path askew = file(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                              R"("x":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                              5);
  EXPECT_TRUE(identical(engine::map_safetensors(askew).tensors.at("x"), engine::read_safetensors(askew).tensors.at("x")));
  const fs::path half = file(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4);
  EXPECT_TRUE(identical(engine::map_safetensors(half).tensors.at("h"), engine::read_safetensors(half).tensors.at("h")));
  EXPECT_TRUE(throws<engine::DataError>([&] { engine::map_safetensors(raw("")); }, "has 0 bytes"));
  EXPECT_TRUE(throws<engine::IoError>([&] { engine::map_safetensors(folder_ / "absent"); }, "absent: cannot be opened: No"));
  EXPECT_TRUE(throws<engine::IoError>([&] { engine::map_safetensors(folder_); }, "cannot be mapped"));
}

TEST_F(Safetensors, WidensHalfPrecision) {
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[6,8]}})";
  const std::uint64_t size = header.size();
  const std::uint16_t halves[4] = {0x3C00, 0xC500, 0x0001, 0x4049};  // 1, -5, 2^-24; bfloat 3.140625
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  bytes += header + std::string(reinterpret_cast<const char*>(halves), 8);
  const engine::TensorFile content = engine::read_safetensors(raw(bytes));
  EXPECT_EQ(content.tensors.at("h").to_vector<float>(), (std::vector<float>{1, -5, 0x1p-24f}));
  EXPECT_EQ(content.tensors.at("b").to_vector<float>(), (std::vector<float>{3.140625f}));
}

TEST_F(Safetensors, RefusesMalformedFiles) {
  const auto entry = [](const std::string& fields) { return "{\"x\":{" + fields + "}}"; };
  EXPECT_TRUE(refused(raw("abc"), "has 3 bytes, a safetensors file needs at least 8"));
  EXPECT_TRUE(refused(raw(std::string(8, '\xff')), "says its header has 18446744073709551615 bytes"));
  EXPECT_TRUE(refused(file("{"), "header is not a JSON object"));
  EXPECT_TRUE(refused(file("[]"), "header is not a JSON object"));
  EXPECT_TRUE(refused(file(std::string(5000, '[')), "header is not a JSON object"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1])"), 4), "needs dtype, shape and data_offsets"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"C64","shape":[1],"data_offsets":[0,8])"), 8), "unknown dtype"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4), "impossible extent"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4), "at most 6"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,4])"), 4),
                      "too many elements"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4), "do not fit its shape"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4), "do not fit its shape"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 3), "covers bytes 0 to 4"));
  EXPECT_TRUE(
      refused(file(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 5), "1 bytes follow the last tensor"));
  EXPECT_TRUE(refused(file(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), 8), "where 0 was expected"));
  EXPECT_TRUE(refused(
      file(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
           1),
      "twice"));
  EXPECT_TRUE(refused(
      file(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           3),
      "where 2 was expected"));
  EXPECT_TRUE(refused(file(R"({"__metadata__":{"a":1}})"), "must be text"));
}

TEST_F(Safetensors, RefusesIntegersThatDoNotFit) {
  EXPECT_TRUE(refused(file(R"({"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8), "does not fit 32 bits"));
}

TEST_F(Safetensors, SaysWhyAFileCannotBeRead) {
  EXPECT_TRUE(throws<engine::MissingInput>([&] { engine::read_safetensors(folder_ / "absent"); }, "there is no such file"));
  EXPECT_TRUE(throws<engine::DataError>([&] { engine::read_safetensors(folder_); }, "not a regular file"));
}

}  // namespace
}  // namespace sagcl::tests
