#include "semiagcl/evaluation/components.h"

#include <map>

#include "engine/extents.h"
#include "engine/random.h"
#include "semiagcl/evaluation/inference.h"
#include "tests/support/golden.h"

using namespace sagcl;
using namespace sagcl::semiagcl;
using engine::Dtype;
using engine::Extents;

namespace {

/// By definition: a component grows until it has no neighbour of its class left.
std::vector<double> by_definition(const Tensor& label, const Extents& size, double k) {
  std::vector<double> v = label.to_doubles();
  std::vector<bool> seen(v.size());
  std::vector<std::size_t> largest;
  for (std::size_t first = 0; first < v.size(); ++first) {
    if (v[first] != k || seen[first]) continue;
    std::vector<std::size_t> component = {first};
    seen[first] = true;
    for (std::size_t i = 0; i < component.size(); ++i) {
      Extents p, n;
      engine::split(std::int64_t(component[i]), size, p);
      for (n[0] = p[0] - 1; n[0] <= p[0] + 1; ++n[0])
        for (n[1] = p[1] - 1; n[1] <= p[1] + 1; ++n[1])
          for (n[2] = p[2] - 1; n[2] <= p[2] + 1; ++n[2]) {
            bool inside = true;
            for (int a = 0; a < 3; ++a) inside = inside && n[a] >= 0 && n[a] < size[a];
            const std::size_t at = inside ? std::size_t(engine::join(0, n, size)) : 0;
            if (inside && v[at] == k && !seen[at]) seen[at] = true, component.push_back(at);
          }
    }
    if (component.size() > largest.size()) largest = component;
  }
  for (double& x : v)
    if (x == k) x = 0;
  for (std::size_t at : largest) v[at] = k;
  return v;
}

}  // namespace

TEST(Components, LargestOfTouchingCorners) {
  // two voxels that share a corner are one component; three in a row further away are larger
  Tensor m = Tensor::zeros({3, 3, 8}, Dtype::u8);
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) -> std::uint8_t& {
    return m.data<std::uint8_t>()[(z * 3 + y) * 8 + x];
  };
  at(0, 0, 0) = at(1, 1, 1) = at(2, 2, 4) = at(2, 2, 5) = at(2, 2, 6) = 1;
  keep_largest_component(m, 1);
  EXPECT_EQ(at(0, 0, 0) + at(1, 1, 1), 0);
  EXPECT_EQ(at(2, 2, 4) + at(2, 2, 5) + at(2, 2, 6), 3);

  Tensor some = Tensor::of({1, 8}, std::vector<std::uint8_t>{7, 7, 0, 7, 3, 3, 7, 7});
  drop_small_components(some, 7, 2);
  EXPECT_EQ(some.to_doubles(), (std::vector<double>{7, 7, 0, 0, 3, 3, 7, 7}));
  drop_small_components(some, 7, 3);
  drop_small_components(some, 5, 3);  // a class that is not there
  EXPECT_EQ(some.to_doubles(), (std::vector<double>{0, 0, 0, 0, 3, 3, 0, 0}));

  Tensor equal = Tensor::of({1, 5}, std::vector<std::uint8_t>{7, 7, 0, 7, 7});  // of equals the first stays
  keep_largest_component(equal, 7);
  EXPECT_EQ(equal.to_doubles(), (std::vector<double>{7, 7, 0, 0, 0}));
  keep_largest_component(equal, 3);  // a class that is not there
  EXPECT_EQ(equal.to_doubles(), (std::vector<double>{7, 7, 0, 0, 0}));
}

TEST(Components, EqualTheDefinition) {
  engine::Generator random(1, "labels");
  for (int i = 0; i < 300; ++i) {
    const Extents size{{1 + random.integer(6), 1 + random.integer(7), 1 + random.integer(9)}};
    Tensor label = Tensor::zeros({size[0], size[1], size[2]}, Dtype::u8);
    const double share = random.uniform();
    for (std::int64_t v = 0; v < label.size(); ++v)
      if (random.coin(share)) label.data<std::uint8_t>()[v] = std::uint8_t(1 + random.integer(2));
    const Tensor before = label.clone();
    for (std::uint8_t k : {1, 2}) {
      const std::vector<double> expected = by_definition(label, size, k);
      keep_largest_component(label, k);
      ASSERT_EQ(label.to_doubles(), expected) << to_string(size) << " share " << share << " class " << int(k);
    }
    EXPECT_TRUE(tests::identical(largest_components(before, 3), label));
    if (size[0] == 1) {
      Tensor plane = before.reshape({size[1], size[2]}).clone();
      keep_largest_component(plane, 1), keep_largest_component(plane, 2);
      EXPECT_EQ(plane.to_doubles(), label.to_doubles());
    }
  }
}
