#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "layers/segmenter.h"
#include "ops/arithmetic.h"
#include "tests/tools/predict/prediction_support.h"
#include "tools/export/network_graph.h"
#include "tools/export/network_notes.h"
#include "tools/programs/version.h"

// ONNX files: bytes by hand, then the graphs, taken apart by a reader of a few lines. Whether they compute what our networks
// do is for ONNX Runtime to say: tests/oracles.
using namespace sagcl;
using tools::Message;

namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  for (unsigned char c : bytes) out += fmt::format("{:02x}", c);
  return out;
}

/// A message's fields in order: number and content; integers are written out, floats are four bytes.
struct Field {
  int number;
  std::string content;
};

std::uint64_t read_varint(const std::string& bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = std::uint64_t(static_cast<unsigned char>(bytes.at(at++)));
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

std::vector<Field> fields(const std::string& bytes) {
  std::vector<Field> all;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t key = read_varint(bytes, at);
    if ((key & 7) == 0) {
      all.push_back({int(key >> 3), std::to_string(std::int64_t(read_varint(bytes, at)))});
      continue;
    }
    EXPECT_TRUE((key & 7) == 2 || (key & 7) == 5) << key;
    const std::size_t size = (key & 7) == 5 ? 4 : read_varint(bytes, at);
    all.push_back({int(key >> 3), bytes.substr(at, size)});
    at += size;
  }
  EXPECT_EQ(all.empty(), bytes.empty());
  return all;
}

std::vector<std::string> every(const std::string& message, int number) {
  std::vector<std::string> found;
  for (const Field& f : fields(message))
    if (f.number == number) found.push_back(f.content);
  return found;
}

std::string one(const std::string& message, int number) {
  const auto found = every(message, number);
  EXPECT_EQ(found.size(), 1u) << "field " << number;
  return found.empty() ? "" : found.front();
}

struct Node {
  std::string operation;
  std::vector<std::string> inputs;
  std::map<std::string, std::vector<std::string>> integers;
  std::map<std::string, float> reals;
  std::map<std::string, std::string> texts;
};

/// A model, taken apart.
struct Model {
  explicit Model(const std::string& bytes) : file(bytes), graph(one(bytes, 7)) {
    for (const std::string& n : every(graph, 1)) {
      Node node{one(n, 4), every(n, 1), {}, {}, {}};
      for (const std::string& a : every(n, 5)) {
        const std::string name = one(a, 1), type = one(a, 20);
        if (type == "1") std::memcpy(&node.reals[name], one(a, 2).data(), 4);
        else if (type == "2") node.integers[name] = every(a, 3);
        else if (type == "3") node.texts[name] = one(a, 4);
        else node.integers[name] = every(a, 8);
      }
      EXPECT_EQ(one(n, 2), one(n, 3));  // the output has the node's name
      order.push_back(one(n, 2));
      nodes[one(n, 2)] = node;
    }
    for (const std::string& w : every(graph, 5)) weights[one(w, 8)] = w;
  }

  std::int64_t count(const std::string& operation) const {
    return std::count_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.second.operation == operation; });
  }

  /// Names and extents of inputs (11) or outputs (12): "image 1 batch 2 height width".
  std::string signature(int number) const {
    const std::string value = one(graph, number), tensor = one(one(value, 2), 1);
    EXPECT_EQ(one(tensor, 1), "1");  // floats
    std::string text = one(value, 1);
    for (const std::string& extent : every(one(tensor, 2), 1)) text += " " + fields(extent).front().content;
    return text;
  }

  std::string file, graph;
  std::vector<std::string> order;
  std::map<std::string, Node> nodes;
  std::map<std::string, std::string> weights;
};

tools::TrainedNetwork trained(const std::string& network, std::int64_t channels = 1) {
  return tools::network_from(tests::checkpoint({.network = network, .channels = channels}), "student", "test");
}

Model exported(tools::TrainedNetwork t) { return Model(tools::onnx_model(t).bytes("what it is", tools::network_notes(t))); }

/// Every node takes what stands before it, every weight is used, and no name is given twice.
void expect_whole(const Model& m) {
  std::set<std::string> known = {"image", ""}, used;
  for (const auto& [name, w] : m.weights) known.insert(name);
  EXPECT_EQ(known.size(), m.weights.size() + 2);
  for (const std::string& name : m.order) {
    for (const std::string& input : m.nodes.at(name).inputs) {
      EXPECT_TRUE(known.count(input)) << name << " takes " << input;
      used.insert(input);
    }
    EXPECT_TRUE(known.insert(name).second) << name;
  }
  for (const auto& [name, w] : m.weights) EXPECT_TRUE(used.count(name)) << name;
  EXPECT_EQ(m.order.back(), "probabilities");
  EXPECT_EQ(m.nodes.size(), m.order.size());
}

using Words = std::vector<std::string>;

}  // namespace

TEST(Protobuf, BytesByHand) {
  Message numbers;  // the first two are the examples of the encoding's documentation
  numbers.integer(1, 150);
  numbers.text(2, "testing");
  EXPECT_EQ(hex(numbers.bytes()), "089601120774657374696e67");
  Message inner, outer;
  inner.integer(1, 150);
  outer.message(3, inner);
  outer.real(4, 1);
  outer.integer(5, -1);
  outer.integer(16, 0);
  outer.text(6, "");
  const float values[] = {1, -2};
  outer.elements(7, values);
  EXPECT_EQ(hex(outer.bytes()),
            "1a03089601"
            "250000803f"
            "28ffffffffffffffffff01"
            "800100"
            "3200"
            "3a080000803f000000c0");
}

TEST(Onnx, SaysVersionsAndWhatTheNetworkNeeds) {
  const Model m = exported(trained("unet", 2));
  EXPECT_EQ(one(m.file, 1), "7");
  EXPECT_EQ(one(one(m.file, 8), 2), "13");
  EXPECT_EQ(one(m.file, 2), "sagcl");
  EXPECT_EQ(one(m.file, 6), "what it is");
  std::map<std::string, std::string> notes;
  for (const std::string& property : every(m.file, 14)) notes[one(property, 1)] = one(property, 2);
  const std::map<std::string, std::string> expected = {{"classes", R"(["background","a","b"])"},
                                                       {"channels", "2"},
                                                       {"network", "unet"},
                                                       {"width", "2"},
                                                       {"weights", "student"},
                                                       {"method", "semi-agcl"},
                                                       {"step", "7"},
                                                       {"sagcl", tools::version()},
                                                       {"normalise", "z_score"},
                                                       {"normalise_rule", notes["normalise_rule"]},
                                                       {"spacing_mm_dhw", "[]"},
                                                       {"spacing_rule", "none"},
                                                       {"resize", "0"},
                                                       {"resize_rule", "none"},
                                                       {"halvings", "[4,4,4]"},
                                                       {"multiple_of", "16"},
                                                       {"patch", "[16,16,16]"},
                                                       {"stride", "[]"},
                                                       {"blending", "mean"},
                                                       {"mirror", "[]"},
                                                       {"largest_component", "false"}};
  EXPECT_EQ(notes, expected);
  EXPECT_TRUE(tests::contains(notes["normalise_rule"], "(x - mean) / (deviation + 1e-8)"));
}

TEST(Onnx, UNet) {
  const Model m = exported(trained("unet", 2));
  expect_whole(m);
  EXPECT_EQ(m.signature(11), "image batch 2 height width");
  EXPECT_EQ(m.signature(12), "probabilities batch 3 height width");
  const std::map<std::string, std::int64_t> counts = {{"Conv", 10 + 8 + 4 + 1},
                                                      {"BatchNormalization", 18},
                                                      {"LeakyRelu", 18},
                                                      {"MaxPool", 4},
                                                      {"Resize", 4},
                                                      {"Concat", 4},
                                                      {"Softmax", 1}};
  std::int64_t all = 0;
  for (const auto& [operation, n] : counts) {
    EXPECT_EQ(m.count(operation), n) << operation;
    all += n;
  }
  EXPECT_EQ(std::int64_t(m.nodes.size()), all);

  const Node& conv = m.nodes.at("enc0.0.conv");
  EXPECT_EQ(conv.inputs, (Words{"image", "enc0.0.conv.w", "enc0.0.conv.b"}));
  EXPECT_EQ(conv.integers.at("kernel_shape"), (Words{"3", "3"}));
  EXPECT_EQ(conv.integers.at("strides"), (Words{"1", "1"}));
  EXPECT_EQ(conv.integers.at("pads"), (Words{"1", "1", "1", "1"}));
  const Node& norm = m.nodes.at("enc0.0.bn");
  EXPECT_EQ(norm.inputs, (Words{"enc0.0.conv", "enc0.0.bn.gamma", "enc0.0.bn.beta", "enc0.0.bn.mean", "enc0.0.bn.var"}));
  EXPECT_EQ(norm.reals.at("epsilon"), 1e-5f);
  EXPECT_EQ(m.nodes.at("enc0.0.bn.relu").reals.at("alpha"), 0.01f);
  EXPECT_EQ(m.nodes.at("enc1.max_pool").integers.at("kernel_shape"), (Words{"2", "2"}));
  EXPECT_EQ(m.nodes.at("enc1.max_pool").integers.at("strides"), (Words{"2", "2"}));
  EXPECT_EQ(m.nodes.at("up1.resize").inputs, (Words{"up1.proj", "", "up1.resize.scales"}));
  EXPECT_EQ(m.nodes.at("up1.resize").texts.at("coordinate_transformation_mode"), "align_corners");
  EXPECT_EQ(hex(one(m.weights.at("up1.resize.scales"), 9)), "0000803f0000803f0000004000000040");  // 1 1 2 2
  EXPECT_EQ(m.nodes.at("up1.concat").inputs, (Words{"enc3.1.bn.relu", "up1.resize"}));            // the skip first
  EXPECT_EQ(m.nodes.at("up1.concat").integers.at("axis"), (Words{"1"}));
  EXPECT_EQ(m.nodes.at("probabilities").inputs, (Words{"head"}));
  EXPECT_EQ(m.nodes.at("probabilities").integers.at("axis"), (Words{"1"}));
}

TEST(Onnx, VNet) {
  tools::TrainedNetwork t = trained("vnet");
  const engine::Tensor up = layers::parameters_of(*t.network).at("up5.conv.w")->value();  // [32, 2, 2, 2, 16]
  const Model m = exported(std::move(t));
  expect_whole(m);
  EXPECT_EQ(m.signature(11), "image batch 1 depth height width");
  EXPECT_EQ(m.signature(12), "probabilities batch 3 depth height width");
  const std::map<std::string, std::int64_t> counts = {{"Conv", 21 + 4 + 1}, {"ConvTranspose", 4}, {"BatchNormalization", 29},
                                                      {"Relu", 29},         {"Add", 4},           {"Softmax", 1}};
  std::int64_t all = 0;
  for (const auto& [operation, n] : counts) {
    EXPECT_EQ(m.count(operation), n) << operation;
    all += n;
  }
  EXPECT_EQ(std::int64_t(m.nodes.size()), all);
  EXPECT_EQ(m.nodes.at("down1.conv").integers.at("kernel_shape"), (Words{"2", "2", "2"}));
  EXPECT_EQ(m.nodes.at("down1.conv").integers.at("strides"), (Words{"2", "2", "2"}));
  EXPECT_EQ(m.nodes.at("down1.conv").integers.at("pads"), Words(6, "0"));
  EXPECT_EQ(m.nodes.at("up5.conv").integers.at("strides"), (Words{"2", "2", "2"}));
  EXPECT_EQ(m.nodes.at("add").inputs, (Words{"up5.bn.relu", "block4.2.bn.relu"}));
  EXPECT_EQ(m.nodes.at("add.2").inputs, (Words{"up6.bn.relu", "block3.2.bn.relu"}));

  const std::string& weight = m.weights.at("up5.conv.w");
  EXPECT_EQ(every(weight, 1), (Words{"32", "16", "2", "2", "2"}));
  EXPECT_EQ(one(weight, 2), "1");
  const std::string raw = one(weight, 9);
  ASSERT_EQ(raw.size(), up.bytes());
  for (std::int64_t i = 0; i < 32; ++i)  // [i][o][k] holds [i][k][o]
    for (std::int64_t o = 0; o < 16; ++o)
      for (std::int64_t k = 0; k < 8; ++k) {
        float value = 0;
        std::memcpy(&value, raw.data() + 4 * ((i * 16 + o) * 8 + k), 4);
        ASSERT_EQ(value, up.data<float>()[(i * 8 + k) * 16 + o]);
      }
}

TEST(Onnx, RefusesAnOperationThatItDoesNotKnow) {
  struct Squares final : layers::Segmenter {
    layers::Segmentation forward(const autograd::Variable& x, const layers::Pass&) override {
      const autograd::Scope scope("enc0");
      return {ops::square(x), x};
    }
    autograd::Variable encode(const autograd::Variable& x, const layers::Pass&) override { return x; }
    void describe(layers::Parts&) override {}
    bool flat() const override { return true; }
  };
  tools::TrainedNetwork t;
  t.network = std::make_unique<Squares>();
  tests::expect_error<engine::UsageError>([&] { tools::onnx_model(t); }, {"square", "'enc0'", "export safetensors"});
}

TEST(Onnx, TheProgramWritesTheSameBytesTwice) {
  tests::Folders f;
  tests::write_checkpoint(f("run/checkpoints/step-0000007.safetensors"), {.network = "vnet"});
  const auto outcome = tests::run("sagcl-export", {"onnx", f("run"), "--out", f("m.onnx")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, f("m.onnx") + "\n");
  EXPECT_TRUE(tests::contains(outcome.err, "step-0000007.safetensors after 7 steps, vnet of width 2"));
  EXPECT_TRUE(tests::contains(outcome.err,
                              "image f32 [batch, 1, depth, height, width] -> probabilities [batch, 3, depth, "
                              "height, width]; extents divisible by 16"));
  const std::string once = tests::content_of(f("m.onnx"));
  ASSERT_EQ(tests::run("sagcl-export", {"onnx", f("run"), "--out", f("m.onnx"), "--overwrite"}).code, 0);
  EXPECT_EQ(tests::content_of(f("m.onnx")), once);
  expect_whole(Model(once));
}
