#pragma once
#include <vector>

#include "semiagcl/training/averaged_network.h"
#include "semiagcl/training/phase.h"

namespace sagcl::semiagcl {

/// First step at which the method's own phase begins: method.warm_up_share of all steps are before it.
std::int64_t warm_up_steps(std::int64_t steps, const Method& m);

/// The phases of most methods: a supervised warm-up over method.warm_up_share of the steps, then `main`, which has the
/// others; labelled samples swap boxes in it where augment.copy_paste is warm_up. The teacher, if there is one, begins with
/// main as a copy of the student; with method.average_warm_up it begins with the run and averages the warm-up's students,
/// running statistics too.
///
/// `warm_up` holds what is a method's own in it: a name, an objective, batches with boxes or distances; modules that learn
/// from its first step on, which main trains, too.
std::vector<Phase> with_warm_up(const RunSettings& settings, AveragedNetwork* teacher, Phase main, Phase warm_up = {});

}  // namespace sagcl::semiagcl
