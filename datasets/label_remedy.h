#pragma once
#include <cmath>
#include <cstdint>
#include <map>
#include <string>

/// What to do about stored label values that a rule (label_rule.h) does not turn into classes.
namespace sagcl::datasets {

inline constexpr double label_rounding = 0.01;   ///< of a whole number that a header's scaling turned into a real one
inline constexpr std::size_t listed_values = 8;  ///< offending values named in an error

inline bool is_whole(double v) { return v == std::floor(v) && std::abs(v) <= 1e9; }

/// A value as it is stored: no digits that only a double has.
std::string shown_value(double v);

/// The rule that would accept these stored values (with their counts) as `classes` classes: 0 and one other value are
/// background and foreground; values that fade between 0 and a largest one are a resampled mask or probabilities, to be cut
/// in the middle; many whole numbers are instances. Empty if none of these fits, above all where values between are frequent
/// enough to be classes of their own, which such a rule would merge.
std::string proposed_rule(const std::map<double, std::int64_t>& counts, std::int64_t classes);

/// How a rule is given: with `option`, or without one to each program that reads data sets.
std::string how_to_give(const std::string& rule, const char* option = nullptr);

/// A sentence on all values of a label, some of which are no class. `classes`: as many as are named, 0 if nothing names
/// them; `mapped`: a map was given, and lacks them.
std::string label_remedy(const std::map<double, std::int64_t>& counts, std::int64_t classes, bool mapped,
                         const char* option);

}  // namespace sagcl::datasets
