#pragma once
#include <string>
#include <vector>

#include "layers/optimiser.h"
#include "semiagcl/training/objective.h"

namespace sagcl::semiagcl {

/// What each term of Eq. 8 does to each layer in one step: the inner products ⟨g_a, g_b⟩ of the gradients of ramp · weight ·
/// value of the terms a and b in the weights of the layer. From them follow how hard a term pulls (norm), whether two pull
/// the same way (cosine), and, since the gradients add up, what the whole loss does.
struct TermGradients {
  struct Layer {
    std::string name;              ///< "encoder.0.conv"; of a module beside the student "projection.…"
    std::vector<double> products;  ///< [terms, terms], symmetric

    double product(std::size_t a, std::size_t b) const;
    double norm(std::size_t a) const;        ///< ‖g_a‖
    double joint_norm(std::size_t n) const;  ///< ‖g_0 + … + g_(n-1)‖: of the whole loss, where these are its terms
    /// Of the angle between g_a and g_b; NaN where one of them is 0.
    double cosine(std::size_t a, std::size_t b) const;
  };
  std::vector<std::string> terms;  ///< those that count, in the objective's order
  std::vector<Layer> layers;       ///< in the network's order

  /// Adds the products of another look with the same terms and layers, e.g. at another batch.
  void add(const TermGradients& other);

  Layer whole() const;  ///< all layers as one, called "all"
  /// Layers whose names have the first `depth` parts in common as one, e.g. "encoder.0".
  TermGradients at_depth(std::size_t depth) const;
};

/// The gradients themselves: of ramp · weight · value of one term each, for the parameters that the term reached.
struct GradientsOfTerms {
  std::vector<std::string> terms;
  std::vector<layers::NamedGradients> gradients;  ///< of each term
  std::vector<std::string> parameters;  ///< all that are trained, in the order in which networks describe themselves
};

/// "encoder.0.conv" of "encoder.0.conv.w"; and the first `depth` parts of such a name, "encoder.0".
std::string layer_of(const std::string& parameter);
std::string first_parts(const std::string& name, std::size_t depth);

/// The products, in f64 on the host.
TermGradients term_gradients(const GradientsOfTerms& all);

}  // namespace sagcl::semiagcl
