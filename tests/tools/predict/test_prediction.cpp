#include <algorithm>
#include <csignal>

#include "datasets/formats/formats.h"
#include "datasets/formats/nifti_fields.h"
#include "datasets/formats/plane_file.h"
#include "engine/files/safetensors.h"
#include "tests/tools/predict/prediction_support.h"

// sagcl-predict: what it leaves behind.
using namespace sagcl;
using engine::Shape;
using engine::Tensor;
using tests::contains;
using tests::Folders;
using tests::Names;
using tests::readers;
using tests::run;
using tests::some_volume;
using tests::write_checkpoint;
using tests::write_plane;
using tests::write_volume;
namespace fs = std::filesystem;

namespace {

/// Predicts the folder "pred" into "masks".
tests::Outcome predict(const Folders& f, const Names& more = {}, const std::string& before = "") {
  Names arguments = {"--checkpoint", f("c.safetensors"), "--output", f("masks"), "--device", "cpu"};
  if (std::find(more.begin(), more.end(), "--input") == more.end())
    arguments.insert(arguments.end(), {"--input", f("pred")});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run("sagcl-predict", arguments, before);
}

Names files_in(const fs::path& folder) {
  Names names;
  if (fs::exists(folder))
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (!entry.is_directory()) names.push_back(fs::relative(entry.path(), folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST(Predict, GivesAMaskPerImageWithItsGeometry) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  datasets::Geometry g;
  g.placed = true;
  g.spacing = {2, 1, 1};
  g.affine = {1, 0, 0, -7, 0, 1, 0, 3, 0, 0, 2, 1, 0, 0, 0, 1};
  engine::Tensor image = engine::Tensor::zeros({17, 20, 16});
  for (std::int64_t i = 0; i < image.size(); ++i) image.data<float>()[i] = float(i % 13);
  datasets::write_nifti(f("pred") + "/case_1.nii.gz", image, g);
  const auto outcome = run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred"), "--output",
                                             f("masks"), "--device", "cpu"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, f("masks") + "/case_1.nii.gz\n");
  EXPECT_TRUE(contains(outcome.err, "next: sagcl-eval --pred"));
  const datasets::Image mask = datasets::read_nifti(f("masks") + "/case_1.nii.gz");
  EXPECT_EQ(mask.voxels.shape(), (engine::Shape{17, 20, 16, 1}));
  EXPECT_EQ(mask.geometry.affine, g.affine);
  const std::string once = tests::content_of(f("masks") + "/case_1.nii.gz");
  ASSERT_EQ(run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred"), "--output", f("again"),
                                  "--threads", "1", "--device", "cpu"})
                .code,
            0);
  EXPECT_EQ(once, tests::content_of(f("again") + "/case_1.nii.gz"));  // whatever the number of threads
}

TEST(Predict, ReadsColouredTilesAndWritesPalettes) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.channels = 3});
  datasets::write_png(f("pred") + "/tile.png", engine::Tensor::full({20, 33, 3}, 90, engine::Dtype::u8));
  const auto outcome = run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred"), "--output",
                                             f("masks"), "--device", "cpu"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const engine::Tensor mask = datasets::read_png_label(f("masks") + "/tile.png").values;
  EXPECT_EQ(mask.shape(), (engine::Shape{1, 20, 33}));
  for (std::int64_t i = 0; i < mask.size(); ++i) ASSERT_LT(mask.data<std::int32_t>()[i], 3);
}

TEST(Predict, RefusesWhatIsNotACheckpoint) {
  Folders f;
  datasets::write_png(f("pred") + "/tile.png", engine::Tensor::full({16, 16}, 90, engine::Dtype::u8));
  const auto with = [&](const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--checkpoint", f(file),    "--input",  f("pred"),
                                          "--output",     f("masks"), "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("sagcl-predict", arguments);
  };
  EXPECT_EQ(with("absent.safetensors").code, 66);
  tests::put(f("text.safetensors"), "hello, this is text");
  EXPECT_EQ(with("text.safetensors").code, 65);
  engine::TensorFile other;
  other.tensors["x"] = engine::Tensor::zeros({2});
  engine::write_safetensors(f("other.safetensors"), other);
  const auto no_notes = with("other.safetensors");
  EXPECT_EQ(no_notes.code, 65);
  EXPECT_TRUE(contains(no_notes.err, "not a checkpoint of sagcl-train"));
  write_checkpoint(f("c.safetensors"), {});
  const auto no_teacher = with("c.safetensors", {"--network", "teacher"});
  EXPECT_EQ(no_teacher.code, 2);
  EXPECT_TRUE(contains(no_teacher.err, "use --network student"));
  const auto same = run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred"), "--output", f("pred")});
  EXPECT_EQ(same.code, 2);
  EXPECT_TRUE(contains(same.err, "choose another"));
}

TEST(Predict, RefusesImagesThatAreNotFit) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  engine::Tensor image = engine::Tensor::zeros({16, 16, 16});
  image.data<float>()[5] = NAN;
  datasets::write_nifti(f("pred") + "/bad.nii.gz", image, {});
  const auto outcome = run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred"), "--output",
                                             f("masks"), "--device", "cpu"});
  EXPECT_EQ(outcome.code, 65);
  EXPECT_TRUE(contains(outcome.err, "bad.nii.gz"));
  EXPECT_TRUE(contains(outcome.err, "NaN"));
  EXPECT_TRUE(contains(outcome.err, "by the background's value: --replace-nan 0"));
  EXPECT_EQ(predict(f, {"--replace-nan", "0"}).code, 0);
}

TEST(Predict, TakesOneFileOfEveryFormat) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  const Tensor voxels = some_volume({17, 9, 20, 1});
  datasets::write_nifti(f("pred") + "/n.nii", voxels, {});
  datasets::PlaneFile array(f("pred") + "/array.npy", voxels.shape(), {});
  array.write(voxels), array.commit();
  const std::string numbers(static_cast<const char*>(voxels.bytes_begin()), voxels.bytes());
  tests::put(f("pred") + "/r.nrrd",
             "NRRD0004\ntype: float\ndimension: 3\nsizes: 20 9 17\nendian: little\nencoding: raw\n\n" + numbers);
  fs::copy_file(readers / "volume.h5", f("pred") + "/h.h5");
  for (const std::string name : {"n.nii", "array.npy", "r.nrrd", "h.h5"}) {
    const std::string id = fs::path(name).stem();
    const auto outcome = predict(f, {"--input", f("pred") + "/" + name});
    ASSERT_EQ(outcome.code, 0) << name << outcome.err;
    EXPECT_EQ(outcome.out, f("masks") + "/" + id + ".nii.gz\n");
    EXPECT_TRUE(contains(outcome.err, "1 file, one case"));
    if (name != "h.h5") {
      EXPECT_TRUE(tests::identical(datasets::read_nifti(f("masks") + "/" + id + ".nii.gz").voxels,
                                   datasets::read_nifti(f("masks") + "/n.nii.gz").voxels));
    }
  }
  const auto missing = predict(f, {"--input", f("pred") + "/absent.nii"});
  EXPECT_EQ(missing.code, 66);
  write_checkpoint(f("c.safetensors"), {});
  write_plane(f("tile.png"));
  ASSERT_EQ(predict(f, {"--input", f("tile.png")}).code, 0);
  EXPECT_EQ(datasets::read_png_label(f("masks") + "/tile.png").values.shape(), (Shape{1, 20, 24}));
}

TEST(Predict, AnArrayOfXFirstGivesTheMaskOfItsTranspose) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  const Tensor zyx = some_volume({4, 6, 5, 1});
  Tensor xyz = Tensor::empty({5, 6, 4, 1});
  for (std::int64_t z = 0; z < 4; ++z)
    for (std::int64_t y = 0; y < 6; ++y)
      for (std::int64_t x = 0; x < 5; ++x) xyz.data<float>()[(x * 6 + y) * 4 + z] = zyx.data<float>()[(z * 6 + y) * 5 + x];
  for (const auto& [name, array] : {std::pair<const char*, Tensor>{"zyx", zyx}, {"xyz", xyz}}) {
    datasets::PlaneFile file(f(name) + ".npy", array.shape(), {});
    file.write(array), file.commit();
  }
  ASSERT_EQ(predict(f, {"--input", f("zyx.npy")}).code, 0);
  ASSERT_EQ(predict(f, {"--input", f("xyz.npy"), "--axes", "xyz"}).code, 0);
  EXPECT_EQ(tests::content_of(f("masks") + "/zyx.nii.gz"), tests::content_of(f("masks") + "/xyz.nii.gz"));
  EXPECT_EQ(predict(f, {"--axes", "yxz"}).code, 2);
}

TEST(Predict, TellsOfTheNetworksChannels) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  write_volume(f("pred") + "/a.nii.gz", 2);
  const auto two = predict(f);
  EXPECT_EQ(two.code, 65);
  EXPECT_TRUE(contains(two.err, "a.nii.gz: has 2 channels, the network expects 1 channel; give an image of 1 channel\n"));
  write_checkpoint(f("c.safetensors"), {.network = "vnet", .channels = 3});
  const auto three = predict(f);
  EXPECT_EQ(three.code, 65);
  EXPECT_TRUE(contains(
      three.err,
      "has 2 channels, the network expects 3 channels; give an image of 3 channels, or of 3 files CASE_0000 to CASE_0002"));
}

TEST(Predict, NothingThatIsThereIsReplacedUnasked) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  for (const char* id : {"a", "b", "c"}) write_volume(f("pred") + "/" + id + ".nii");
  tests::put(f("masks/b.nii.gz"), "precious"), tests::put(f("masks/c.nii.gz"), "precious");
  const auto refused = predict(f);
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(
      contains(refused.err, f("masks/b.nii.gz") + ": is there already, 2 of the results; --overwrite replaces them"));
  EXPECT_EQ(files_in(f("masks")), (Names{"b.nii.gz", "c.nii.gz"}));  // nothing was predicted
  const auto rest = predict(f, {"--skip-existing"});
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(rest.out, f("masks") + "/a.nii.gz\n");
  EXPECT_TRUE(contains(rest.err, "2 cases left out, the masks are there; 1 to do"));
  EXPECT_EQ(tests::content_of(f("masks/b.nii.gz")), "precious");
  EXPECT_EQ(predict(f, {"--skip-existing", "--overwrite"}).code, 2);
  ASSERT_EQ(predict(f, {"--overwrite"}).code, 0);
  EXPECT_EQ(tests::content_of(f("masks/b.nii.gz")), tests::content_of(f("masks/a.nii.gz")));
  // the probabilities of an earlier run are results too
  tests::put(f("masks/probabilities/a.nii"), "precious");
  for (const char* id : {"a", "b", "c"}) fs::remove(f("masks/") + id + ".nii.gz");
  EXPECT_TRUE(contains(predict(f, {"--probabilities"}).err, "probabilities/a.nii: is there already, 1 of the results"));
  EXPECT_EQ(predict(f).code, 0);
  EXPECT_EQ(tests::content_of(f("masks/probabilities/a.nii")), "precious");
  const auto half = predict(f, {"--probabilities", "--skip-existing"});
  EXPECT_EQ(half.code, 2);
  EXPECT_TRUE(contains(half.err, "masks/b.nii.gz: is there without its probabilities"));
  fs::remove(f("masks/b.nii.gz")), fs::remove(f("masks/c.nii.gz"));  // a mask comes last: without it the case is done again
  tests::put(f("masks/probabilities/b.nii"), "left by a killed run");
  EXPECT_EQ(predict(f, {"--probabilities", "--skip-existing"}).code, 0);
  EXPECT_GT(fs::file_size(f("masks/probabilities/b.nii")), 1000u);
}

TEST(Predict, AnImageIsNeverReplaced) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  write_volume(f("pred") + "/a.nii.gz");
  const std::string before = tests::content_of(f("pred") + "/a.nii.gz");
  for (const std::string& folder : {f("pred") + "/", f("pred") + "/../pred", f("link")}) {
    fs::remove(f("link")), fs::create_directory_symlink(f("pred"), f("link"));
    const auto outcome = run("sagcl-predict", {"--checkpoint", f("c.safetensors"), "--input", f("pred") + "/a.nii.gz",
                                               "--output", folder, "--overwrite", "--device", "cpu"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_TRUE(contains(outcome.err, "is an image that is to be segmented"));
  }
  EXPECT_EQ(tests::content_of(f("pred") + "/a.nii.gz"), before);
}

TEST(Predict, ProbabilitiesLieOnTheirMask) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  datasets::Geometry g;
  g.placed = g.measured = true;
  g.affine = {1, 0, 0, -7, 0, 1, 0, 3, 0, 0, 2, 1, 0, 0, 0, 1}, g.spacing = {2, 1, 1};
  const Tensor volume = some_volume({17, 9, 20});
  datasets::write_nifti(f("pred") + "/a.nii.gz", volume, g);
  // the same as a big-endian file
  std::string bytes = datasets::encode_nifti(volume, g), other = bytes;
  bool swapped = false;
  const datasets::NiftiVersion& v = *datasets::nifti_version(bytes, swapped);
  datasets::NiftiFields from(bytes.data(), v, false), to(other.data(), v, true);
  for (const datasets::NiftiField& field :
       {v.size, v.intent_code, v.datatype, v.bitpix, v.offset, v.slope, v.intercept, v.qform, v.sform})
    to.set(field, 0, from.number(field));
  for (std::size_t i = 0; i < 8; ++i) to.set(v.dim, i, from.number(v.dim, i)), to.set(v.pixdim, i, from.number(v.pixdim, i));
  for (std::size_t i = 0; i < 12; ++i) to.set(v.srow, i, from.number(v.srow, i));
  for (std::size_t i = 0; i < 6; ++i) to.set(v.quatern, i, from.number(v.quatern, i));
  for (std::size_t i = v.first_voxel(); i < other.size(); i += 4) std::reverse(other.data() + i, other.data() + i + 4);
  tests::put(f("pred") + "/big.nii", other);

  const auto outcome = predict(f, {"--probabilities"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(files_in(f("masks")), (Names{"a.nii.gz", "big.nii.gz", "probabilities/a.nii", "probabilities/big.nii"}));
  for (const std::string id : {"a", "big"}) {
    const datasets::Image p = datasets::read_nifti(f("masks") + "/probabilities/" + id + ".nii");
    const Tensor mask = datasets::read_nifti(f("masks") + "/" + id + ".nii.gz").voxels;
    ASSERT_EQ(p.voxels.shape(), (Shape{17, 9, 20, 3}));
    EXPECT_EQ(p.geometry.affine, g.affine);
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      const float* q = p.voxels.data<float>() + 3 * i;
      ASSERT_EQ(float(std::max_element(q, q + 3) - q), mask.data<float>()[i]);
      ASSERT_NEAR(q[0] + q[1] + q[2], 1, 1e-6);
    }
  }
  EXPECT_TRUE(tests::identical(datasets::read_nifti(f("masks") + "/probabilities/a.nii").voxels,
                               datasets::read_nifti(f("masks") + "/probabilities/big.nii").voxels));
  ASSERT_EQ(run("sagcl-eval", {"--pred", f("masks"), "--ref", f("masks"), "--classes", "3"}).code,
            0);  // they do not stand among the masks

  write_checkpoint(f("c.safetensors"), {});
  write_plane(f("tile.png"));
  ASSERT_EQ(predict(f, {"--input", f("tile.png"), "--probabilities"}).code, 0);
  const Tensor p = datasets::read_image(f("masks") + "/probabilities/tile.npy").voxels,
               mask = datasets::read_png_label(f("masks") + "/tile.png").values;
  ASSERT_EQ(p.shape(), (Shape{1, 20, 24, 3}));
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    const float* q = p.data<float>() + 3 * i;
    ASSERT_EQ(std::max_element(q, q + 3) - q, mask.data<std::int32_t>()[i]);
  }
}

TEST(Predict, GoesOnWhereAnImageCannotBeRead) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  for (const char* id : {"a", "b", "c"}) write_volume(f("pred") + "/" + id + ".nii.gz");
  fs::resize_file(f("pred") + "/b.nii.gz", 2000);
  const auto outcome = predict(f);
  EXPECT_EQ(outcome.code, 65);
  EXPECT_EQ(outcome.out, f("masks") + "/a.nii.gz\n" + f("masks") + "/c.nii.gz\n");
  EXPECT_TRUE(contains(outcome.err, "1 of 3 cases failed; the masks of the others are in " + f("masks") + ":\n  " +
                                        f("pred") + "/b.nii.gz: the compressed data ends"));
  EXPECT_EQ(files_in(f("masks")), (Names{"a.nii.gz", "c.nii.gz"}));
}

/// A mask that cannot be written is no image that cannot be read: the next one could not be written, either.
TEST(Predict, StopsWhereAMaskCannotBeWritten) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  for (const char* id : {"a", "b", "c"}) write_volume(f("pred") + "/" + id + ".nii.gz");
  const auto stopped = predict(f, {"--probabilities"}, "ulimit -f 8;");  // files of at most 4 KiB
  EXPECT_EQ(stopped.code, 74);
  EXPECT_TRUE(contains(stopped.err, "a.nii: writing failed: File too large; free some space or choose another folder"));
  EXPECT_TRUE(contains(stopped.err, "The same command with --skip-existing goes on"));
  EXPECT_FALSE(contains(stopped.err, "b.nii"));
  const auto on = predict(f, {"--probabilities", "--skip-existing"});
  EXPECT_EQ(on.code, 0) << on.err;
  EXPECT_EQ(files_in(f("masks")), (Names{"a.nii.gz", "b.nii.gz", "c.nii.gz", "probabilities/a.nii", "probabilities/b.nii",
                                         "probabilities/c.nii"}));
}

TEST(Predict, TakesTheLongestNamesAndRefusesLonger) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet"});
  write_volume(f("pred") + "/" + std::string(248, 'x') + ".nii.gz");
  ASSERT_EQ(predict(f).code, 0);
  EXPECT_EQ(files_in(f("masks")), (Names{std::string(248, 'x') + ".nii.gz"}));
  write_volume(f("pred") + "/" + std::string(250, 'y') + ".nii");
  const auto longer = predict(f, {"--overwrite"});
  EXPECT_EQ(longer.code, 65);
  EXPECT_TRUE(contains(longer.err, "the mask's name would have 257 bytes, a file's name has at most 255"));
}

TEST(Predict, LeavesNoHalfFileWhenItIsStopped) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet", .stride = {1, 1, 1}});
  datasets::write_nifti(f("pred") + "/a.nii", some_volume({16, 16, 16}), {});
  datasets::write_nifti(f("pred") + "/b.nii", some_volume({90, 90, 90}), {});  // many windows
  // In the foreground timeout signals once; else twice, the program and its group, and a second Ctrl-C ends it at once.
  const auto outcome = predict(f, {"--probabilities"}, "timeout --foreground --preserve-status -s INT 5");
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "The same command with --skip-existing goes on"));
  EXPECT_EQ(files_in(f("masks")), (Names{"a.nii.gz", "probabilities/a.nii"}));
  EXPECT_EQ(predict(f, {"--probabilities", "--skip-existing"}, "timeout --preserve-status -s TERM 2").code, 143);
  EXPECT_EQ(files_in(f("masks")), (Names{"a.nii.gz", "probabilities/a.nii"}));
}

/// A CT that is stored from 0 on is another image to a network that was trained on Hounsfield units.
TEST(Predict, AnImageWithAnOffsetIsNamed) {
  Folders f;
  write_checkpoint(f("c.safetensors"), {.network = "vnet", .window = {-120, 130, 20, 50}});
  Tensor image = some_volume({16, 16, 16});
  for (std::int64_t i = 0; i < image.size(); ++i)
    image.data<float>()[i] = std::clamp(400 * image.data<float>()[i], -1000.0F, 900.0F);
  datasets::write_nifti(f("pred") + "/ct.nii.gz", image, {});
  const auto right = predict(f);
  ASSERT_EQ(right.code, 0) << right.err;
  EXPECT_FALSE(contains(right.err, "offset"));
  for (std::int64_t i = 0; i < image.size(); ++i) image.data<float>()[i] += 1024;
  datasets::write_nifti(f("pred") + "/ct.nii.gz", image, {});
  const auto shifted = predict(f, {"--overwrite"});
  EXPECT_EQ(shifted.code, 0) << shifted.err;
  EXPECT_TRUE(contains(shifted.err, "ct.nii.gz: warning: its lowest value is 24, and training looked at -120 to 130"));
}
