#pragma once
#include <gtest/gtest.h>

#include <string>

namespace sagcl::tests {

/// Expects f() to throw an E whose text contains `part`: error texts are for people, so tests read them.
template <class E, class F>
testing::AssertionResult throws(F f, const std::string& part) {
  try {
    f();
  } catch (const E& e) {
    const std::string text = e.what();
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << part << "\" is not in: " << text;
  } catch (const std::exception& e) { return testing::AssertionFailure() << "another kind of exception: " << e.what(); }
  return testing::AssertionFailure() << "nothing was thrown; expected \"" << part << "\"";
}

}  // namespace sagcl::tests
