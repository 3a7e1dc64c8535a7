#pragma once
#include <string>

#include "datasets/layouts/layout_kinds.h"

/// Whose images they are, as far as names tell.
namespace sagcl::datasets {

/// Whose the image is by a name of BIDS, sub-XX[_ses-YY][_key-value ...][_suffix]: "sub-XX", with what stands before it.
/// Empty for other names.
std::string bids_subject(const std::string& id);

/// Warns of what names say where `notes`, the data set's description, does not say who the patients are: which cases belong
/// together by names of BIDS, and that others look so.
void remark_patients(const Dataset& d, const std::string& notes, const Complaints& complain);

}  // namespace sagcl::datasets
