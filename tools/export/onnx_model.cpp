#include "tools/export/onnx_model.h"

#include <cstdint>

#include "tools/programs/version.h"

namespace sagcl::tools {

namespace {

// Numbers of fields and values of enums in onnx.proto.
// clang-format off
namespace model { enum { ir_version = 1, producer_name = 2, producer_version = 3, doc_string = 6, graph = 7,
                         opset_import = 8, metadata_props = 14 }; }
namespace opset { enum { domain = 1, version = 2 }; }
namespace property { enum { key = 1, value = 2 }; }
namespace graph { enum { node = 1, name = 2, initializer = 5, input = 11, output = 12 }; }
namespace node { enum { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 }; }
namespace attribute { enum { name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20 }; }
namespace attribute_type { enum { real = 1, integer = 2, text = 3, integers = 7 }; }
namespace tensor { enum { dims = 1, data_type = 2, name = 8, raw_data = 9 }; }
namespace value_info { enum { name = 1, type = 2 }; }
namespace type { enum { tensor_type = 1 }; }
namespace tensor_type { enum { elem_type = 1, shape = 2 }; }
namespace shape { enum { dim = 1 }; }
namespace dimension { enum { dim_value = 1, dim_param = 2 }; }
// clang-format on
constexpr int float_elements = 1;  // TensorProto.FLOAT

Message attribute_message(const OnnxModel::Attribute& a) {
  Message m;
  m.text(attribute::name, a.first);
  if (const auto* number = std::get_if<std::int64_t>(&a.second)) {
    m.integer(attribute::i, *number);
    m.integer(attribute::type, attribute_type::integer);
  } else if (const auto* value = std::get_if<double>(&a.second)) {
    m.real(attribute::f, float(*value));
    m.integer(attribute::type, attribute_type::real);
  } else if (const auto* text = std::get_if<std::string>(&a.second)) {
    m.text(attribute::s, *text);
    m.integer(attribute::type, attribute_type::text);
  } else {
    for (std::int64_t n : std::get<std::vector<std::int64_t>>(a.second)) m.integer(attribute::ints, n);
    m.integer(attribute::type, attribute_type::integers);
  }
  return m;
}

Message value_message(const std::string& name, const std::vector<OnnxModel::Extent>& extents) {
  Message dimensions, tensor, type, value;
  for (const OnnxModel::Extent& e : extents) {
    Message one;
    if (const auto* number = std::get_if<std::int64_t>(&e)) one.integer(dimension::dim_value, *number);
    else one.text(dimension::dim_param, std::get<std::string>(e));
    dimensions.message(shape::dim, one);
  }
  tensor.integer(tensor_type::elem_type, float_elements);
  tensor.message(tensor_type::shape, dimensions);
  type.message(type::tensor_type, tensor);
  value.text(value_info::name, name);
  value.message(value_info::type, type);
  return value;
}

}  // namespace

void OnnxModel::node(const std::string& name, const char* operation, const std::vector<std::string>& inputs,
                     const std::vector<Attribute>& attributes) {
  Message m;
  for (const std::string& input : inputs) m.text(node::input, input);
  m.text(node::output, name);
  m.text(node::name, name);
  m.text(node::op_type, operation);
  for (const Attribute& a : attributes) m.message(node::attribute, attribute_message(a));
  graph_.message(graph::node, m);
}

void OnnxModel::weight(const std::string& name, const engine::Tensor& value) {
  Message m;
  for (std::int64_t extent : value.shape()) m.integer(tensor::dims, extent);
  m.integer(tensor::data_type, float_elements);
  m.text(tensor::name, name);
  m.elements(tensor::raw_data, {value.data<float>(), std::size_t(value.size())});
  graph_.message(graph::initializer, m);
}

void OnnxModel::input(const std::string& name, const std::vector<Extent>& extents) {
  graph_.message(graph::input, value_message(name, extents));
}

void OnnxModel::output(const std::string& name, const std::vector<Extent>& extents) {
  graph_.message(graph::output, value_message(name, extents));
}

std::string OnnxModel::bytes(const std::string& description, const std::map<std::string, std::string>& notes) const {
  Message graph = graph_, version, m;
  graph.text(graph::name, "network");
  version.text(opset::domain, "");
  version.integer(opset::version, operators);
  m.integer(model::ir_version, format);
  m.text(model::producer_name, "sagcl");
  m.text(model::producer_version, tools::version());
  m.text(model::doc_string, description);
  m.message(model::opset_import, version);
  for (const auto& [key, value] : notes) {
    Message property;
    property.text(property::key, key);
    property.text(property::value, value);
    m.message(model::metadata_props, property);
  }
  m.message(model::graph, graph);
  engine::require<engine::DataError>(m.bytes().size() <= INT32_MAX,
                                     "the network takes {} bytes, and an ONNX file has at most {}; export safetensors",
                                     m.bytes().size(), INT32_MAX);
  return m.bytes();
}

}  // namespace sagcl::tools
