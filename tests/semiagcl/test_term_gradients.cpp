#include <gtest/gtest.h>

#include <cmath>

#include "tests/semiagcl/small_training.h"

using namespace sagcl;
using semiagcl::GradientsOfTerms;
using semiagcl::TermGradients;
using semiagcl::Trainer;

namespace {

engine::Tensor row(const std::vector<float>& values) { return engine::Tensor::of({std::int64_t(values.size())}, values); }

/// Four steps of warm-up and four of the method, by plain gradient descent.
semiagcl::RunSettings descent(const std::string& method, bool flat) {
  semiagcl::RunSettings s = tests::small_settings(method, flat);
  s.train.optimiser = "sgd", s.train.momentum = 0, s.train.weight_decay = 0, s.train.poly_power = 0;
  s.train.learning_rate = 0.5;
  return s;
}

void advance_to(Trainer& trainer, std::int64_t step) {
  while (trainer.steps_done() < step) trainer.advance();
}

}  // namespace

TEST(TermGradients, ProductsByHand) {
  const GradientsOfTerms all{.terms = {"sup", "reg"},
                             .gradients = {{{"a.w", row({3, 4})}, {"a.b", row({12})}, {"c.d.w", row({1})}},
                                           {{"a.w", row({4, -3})}, {"a.b", row({1})}}},
                             .parameters = {"a.w", "a.b", "c.d.w", "c.e.w"}};
  const TermGradients g = semiagcl::term_gradients(all);
  ASSERT_EQ(g.layers.size(), 3u);
  EXPECT_EQ(g.layers[0].name, "a");
  EXPECT_EQ(g.layers[0].norm(0), 13);        // √(3² + 4² + 12²)
  EXPECT_EQ(g.layers[0].product(0, 1), 12);  // 3·4 − 4·3 + 12·1
  EXPECT_EQ(g.layers[0].cosine(0, 1), 12 / (13 * std::sqrt(26.0)));
  EXPECT_EQ(g.layers[0].joint_norm(2), std::sqrt(7 * 7 + 1 + 13 * 13.0));  // of (7, 1, 13)
  EXPECT_EQ(g.layers[1].name, "c.d");
  EXPECT_TRUE(std::isnan(g.layers[1].cosine(0, 1)));
  EXPECT_EQ(g.layers[2].joint_norm(2), 0);  // nothing reached it
  EXPECT_EQ(g.whole().product(0, 0), 170);
  const TermGradients joined = g.at_depth(1);
  ASSERT_EQ(joined.layers.size(), 2u);
  EXPECT_EQ(joined.layers[1].name, "c");
  EXPECT_EQ(joined.layers[1].product(0, 0), 1);
  TermGradients twice = g;
  twice.add(g);
  EXPECT_EQ(twice.layers[0].product(0, 1), 24);
  EXPECT_EQ(twice.layers[0].cosine(0, 1), g.layers[0].cosine(0, 1));
  EXPECT_THROW(twice.add(joined), engine::UsageError);
}

/// The terms' gradients add up to what moves the weights, for every method, in both of its phases.
TEST(TermGradients, OfAllTermsTogetherAreTheStep) {
  for (const auto& method : semiagcl::training_methods())
    for (const std::int64_t at : {1, 6}) {
      const semiagcl::RunSettings s = descent(method.name, true);
      const semiagcl::TrainingData data = tests::small_data(true);
      Trainer trainer(s, data, {});
      advance_to(trainer, at);
      const GradientsOfTerms all = trainer.gradients_of_terms();
      std::map<std::string, std::vector<double>> before;
      for (const auto& [name, p] : layers::parameters_of(trainer.student())) before[name] = p->value().to_doubles();
      trainer.advance();
      const double lr = trainer.reports().back().learning_rate;
      double error = 0, size = 0;
      for (const auto& [name, p] : layers::parameters_of(trainer.student())) {
        std::vector<double> moved = p->value().to_doubles();
        for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = (before[name][i] - moved[i]) / lr;
        for (const double v : moved) size += v * v;
        for (const auto& gradients : all.gradients) {
          const auto found = gradients.find(name);
          if (found == gradients.end()) continue;
          const std::vector<double> g = found->second.to_doubles();
          for (std::size_t i = 0; i < moved.size(); ++i) moved[i] -= g[i];
        }
        for (const double v : moved) error += v * v;
      }
      EXPECT_GT(size, 0) << method.name;
      EXPECT_LT(std::sqrt(error / size), 1e-4) << method.name << " at step " << at;
    }
}

TEST(TermGradients, LookingChangesNothing) {
  for (const auto& method : semiagcl::training_methods()) {
    semiagcl::RunSettings s = tests::small_settings(method.name, true);
    const semiagcl::TrainingData data = tests::small_data(true);
    Trainer plain(s, data, {});
    s.debug.grads_every = 1;
    Trainer watched(s, data, {});
    advance_to(plain, 8), advance_to(watched, 8);
    EXPECT_TRUE(watched.reports().back().gradients.has_value());
    EXPECT_TRUE(engine::safetensors_bytes(plain.checkpoint()) == engine::safetensors_bytes(watched.checkpoint()))
        << method.name;
  }
}

TEST(TermGradients, OfAFinishedRunAreThoseOfOneMoreStep) {
  const semiagcl::TrainingData data = tests::small_data(true);
  Trainer trainer(tests::small_settings("mean-teacher", true), data, {});
  advance_to(trainer, 8);
  const GradientsOfTerms all = trainer.gradients_of_terms();
  EXPECT_EQ(all.terms.front(), "sup");
  EXPECT_EQ(all.terms.size(), 2u);
}
