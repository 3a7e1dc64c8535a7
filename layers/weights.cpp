#include "layers/weights.h"

#include <algorithm>
#include <array>
#include <functional>

namespace sagcl::layers {
namespace {

using engine::DataError;
using engine::Shape;
using engine::TensorFile;

/// All parameters and buffers of a module as plain tensors.
std::vector<std::pair<std::string, std::function<Tensor&()>>> tensors_of(Module& m) {
  std::vector<std::pair<std::string, std::function<Tensor&()>>> all;
  for (auto& [name, p] : parameters_in_order(m))
    all.emplace_back(name, [p = p]() -> Tensor& { return p->value_for_update(); });
  for (auto& [name, b] : buffers_in_order(m)) all.emplace_back(name, [b = b]() -> Tensor& { return *b; });
  return all;
}

void report(const std::vector<std::string>& problems, const std::string& source) {
  if (problems.empty()) return;
  std::string text = fmt::format("{}: the weights do not fit the network:", source);
  for (const std::string& p : problems) text += "\n  " + p;
  throw DataError(text);
}

/// Copies with the channel axis moved: last -> second (to PyTorch) or second -> last (from PyTorch).
Tensor move_channels(const Tensor& t, const Shape& target, bool to_torch) {
  const std::int64_t outer = t.shape()[0];
  const std::int64_t channels = to_torch ? t.shape().back() : t.shape()[1];
  const std::int64_t volume = outer * channels == 0 ? 0 : t.size() / (outer * channels);
  Tensor moved = Tensor::empty(target, t.dtype());
  engine::visit_float(t.dtype(), [&]<class T>(engine::Type<T>) {
    const T* from = t.data<T>();
    T* to = moved.data<T>();
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t k = 0; k < volume; ++k) {
          const std::int64_t last = (o * volume + k) * channels + c, second = (o * channels + c) * volume + k;
          (to_torch ? to[second] : to[last]) = to_torch ? from[last] : from[second];
        }
  });
  return moved;
}

struct Ending {
  const char *ours, *torch;
};
constexpr std::array<Ending, 6> conv_endings = {{{".w", ".weight"},
                                                 {".b", ".bias"},
                                                 {".gamma", ".weight"},
                                                 {".beta", ".bias"},
                                                 {".mean", ".running_mean"},
                                                 {".var", ".running_var"}}};

std::pair<std::string, std::string> split_ending(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  const std::string stem = name.substr(0, dot), ending = name.substr(dot);
  for (const Ending& e : conv_endings)
    if (ending == e.ours) return {stem, e.torch};
  return {stem, ending};
}

/// "block3.1.conv" -> "block_three.conv.3" (a unit is convolution, norm, activation in one nn.Sequential).
std::string vnet_name(const std::string& stem) {
  static const std::array<const char*, 10> words = {"",     "one", "two",   "three", "four",
                                                    "five", "six", "seven", "eight", "nine"};
  if (stem == "head") return "out_conv";
  const bool norm = stem.ends_with(".bn");
  if (stem.starts_with("block")) {
    const int unit = stem[7] - '0';
    return fmt::format("block_{}.conv.{}", words[std::size_t(stem[5] - '0')], 3 * unit + (norm ? 1 : 0));
  }
  const bool down = stem.starts_with("down");
  return fmt::format("block_{}_{}.conv.{}", words[std::size_t(stem[down ? 4 : 2] - '0')], down ? "dw" : "up", norm ? 1 : 0);
}

/// "enc2.1.bn" -> "encoder.down2.maxpool_conv.1.conv_conv.5", "up3.proj" -> "decoder.up3.conv1x1".
std::string unet_name(const std::string& stem) {
  if (stem == "head") return "decoder.out_conv";
  const bool encoder = stem.starts_with("enc");
  const char level = stem[encoder ? 3 : 2];
  if (stem.ends_with(".proj")) return fmt::format("decoder.up{}.conv1x1", level);
  const int slot = 4 * (stem[encoder ? 5 : 4] - '0') + (stem.ends_with(".bn") ? 1 : 0);
  if (!encoder) return fmt::format("decoder.up{}.conv.conv_conv.{}", level, slot);
  return level == '0' ? fmt::format("encoder.in_conv.conv_conv.{}", slot)
                      : fmt::format("encoder.down{}.maxpool_conv.1.conv_conv.{}", level, slot);
}

std::string community_name(const std::string& name, bool unet) {
  const auto [stem, ending] = split_ending(name);
  return (unet ? unet_name(stem) : vnet_name(stem)) + ending;
}

bool is_unet(Module& m) { return parameters_in_order(m).front().first.starts_with("enc"); }

/// [O, k, C] in our order -> [O, C, k] in PyTorch's; an image kernel (depth 1) loses its depth.
Shape torch_shape(const Shape& s, bool flat) {
  if (s.rank() != 5) return s;
  return flat ? Shape{s[0], s[4], s[2], s[3]} : Shape{s[0], s[4], s[1], s[2], s[3]};
}

}  // namespace

void store(Module& m, const std::string& prefix, TensorFile& content) {
  for (auto& [name, tensor] : tensors_of(m)) content.tensors[prefix + name] = tensor().to(engine::Device::cpu());
}

void load(Module& m, const std::string& prefix, const TensorFile& content, const std::string& source) {
  std::vector<std::string> problems;
  std::map<std::string, bool> known;
  const auto parts = tensors_of(m);
  for (const auto& [name, tensor] : parts) {
    known[prefix + name] = true;
    auto found = content.tensors.find(prefix + name);
    if (found == content.tensors.end()) problems.push_back(prefix + name + " is missing");
    else if (found->second.shape() != tensor().shape() || found->second.dtype() != tensor().dtype())
      problems.push_back(fmt::format("{} is {} {}, the network has {} {}", prefix + name, found->second.dtype(),
                                     found->second.shape(), tensor().dtype(), tensor().shape()));
  }
  for (const auto& [name, t] : content.tensors)
    if (name.starts_with(prefix) && !known.count(name)) problems.push_back(name + " is not part of the network");
  report(problems, source);
  for (const auto& [name, tensor] : parts) tensor().copy_from(content.tensors.at(prefix + name));
}

void load_pytorch(Module& m, const std::filesystem::path& file) {
  const TensorFile content = engine::read_safetensors(file);
  const bool unet = is_unet(m);
  std::vector<std::string> problems;
  std::vector<std::pair<std::function<Tensor&()>, Tensor>> ready;
  for (auto& [name, tensor] : tensors_of(m)) {
    const auto [stem, ending] = split_ending(name);
    auto found = content.tensors.find(stem + ending);
    if (found == content.tensors.end()) found = content.tensors.find(community_name(name, unet));
    if (found == content.tensors.end()) {
      problems.push_back(fmt::format("{} is missing (also as {})", stem + ending, community_name(name, unet)));
      continue;
    }
    const Shape wanted = torch_shape(tensor().shape(), found->second.shape().rank() == 4);
    if (found->second.shape() != wanted) {
      problems.push_back(fmt::format("{} has shape {}, the network needs {}", found->first, found->second.shape(), wanted));
      continue;
    }
    Tensor value = found->second.to(tensor().dtype());
    if (wanted.rank() >= 4) value = move_channels(value, tensor().shape(), /*to_torch=*/false);
    ready.emplace_back(tensor, value);
  }
  report(problems, file.string());
  for (auto& [tensor, value] : ready) tensor().copy_from(value);
}

TensorFile to_pytorch(Module& m) {
  TensorFile content;
  const bool unet = is_unet(m);
  for (auto& [name, tensor] : tensors_of(m)) content.tensors[community_name(name, unet)] = in_pytorch_order(tensor(), unet);
  return content;
}

Tensor in_pytorch_order(const Tensor& part, bool flat) {
  const Tensor value = part.to(engine::Device::cpu());
  return value.shape().rank() == 5 ? move_channels(value, torch_shape(value.shape(), flat), /*to_torch=*/true)
                                   : value.clone();
}

}  // namespace sagcl::layers
