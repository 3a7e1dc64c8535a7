#pragma once
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/tensor.h"
#include "tools/programs/protobuf.h"

namespace sagcl::tools {

/// A model in the Open Neural Network Exchange format while it is written: the messages of onnx.proto
/// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that a network of floats needs.
class OnnxModel {
 public:
  /// Version 13 of the operators (ONNX 1.8, November 2020): the first whose Softmax takes the classes' axis of an image or a
  /// volume, and what runtimes of the years since read (ONNX Runtime 1.6, OpenVINO 2021.3, TensorRT 8.0 and newer).
  static constexpr int operators = 13, format = 7;

  using Attribute = std::pair<const char*, std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>>;
  using Extent = std::variant<std::int64_t, std::string>;  ///< a number, or the name of one that is free

  /// Nodes come in an order in which inputs stand before their uses. An empty input is one that is left out.
  void node(const std::string& name, const char* operation, const std::vector<std::string>& inputs,
            const std::vector<Attribute>& attributes = {});           ///< its output has its name
  void weight(const std::string& name, const engine::Tensor& value);  ///< f32 on the CPU
  void input(const std::string& name, const std::vector<Extent>& extents);
  void output(const std::string& name, const std::vector<Extent>& extents);

  /// The file's bytes. `notes` become its metadata_props. DataError from 2 GiB on, which Protocol Buffers cannot have.
  std::string bytes(const std::string& description, const std::map<std::string, std::string>& notes) const;

 private:
  Message graph_;
};

}  // namespace sagcl::tools
