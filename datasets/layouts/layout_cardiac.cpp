#include <set>

#include "datasets/layouts/layout_kinds.h"
#include "datasets/text.h"

// ACDC: as the challenge gives it (patientXXX/Info.cfg, ..._frameNN.nii.gz, ..._frameNN_gt.nii.gz), and as SSL4MIS passes it
// around (data/<case>.h5, data/slices/<case>_slice_<k>.h5, lists).
namespace sagcl::datasets {

using std::filesystem::path;

namespace {

const std::vector<std::string> heart = {"background", "right ventricle", "myocardium", "left ventricle"};

std::string patient_of(const std::string& id) { return id.substr(0, id.find('_')); }

bool is_frame(const std::string& name) { return name.find("_frame") != std::string::npos && !name.ends_with("_gt"); }

/// A patient's folder: with the challenge's Info.cfg, or with frames.
bool is_patient(const path& folder) {
  if (present(folder / "Info.cfg")) return true;
  for (const auto& [name, file] : look_into(folder).files)
    if (is_frame(name) && folder.filename().string().starts_with("patient")) return true;
  return false;
}

/// The patients' folders: directly in the folder, or in training and testing (or test).
std::vector<path> patients_in(const path& folder) {
  std::vector<path> patients = folders_of(folder);
  std::erase_if(patients, [](const path& p) { return !is_patient(p); });
  return patients;
}

bool official(const path& folder) { return !patients_in(folder).empty() || !patients_in(folder / "training").empty(); }

/// The two labelled frames of every patient; the 4D series has neither "_frame" nor a label and stays out.
std::vector<Case> frames_of(const path& folder, const Complaints& complain) {
  std::vector<Case> cases;
  std::vector<std::string> others;
  for (const path& patient : folders_of(folder)) {
    if (!is_patient(patient)) {
      if (patient.filename() != "training" && patient.filename() != "testing" && patient.filename() != "test")
        others.push_back(printable(patient.filename().string()));
      continue;
    }
    const auto files = files_of(patient, complain, {".cfg"});
    const std::size_t before = cases.size();
    for (const auto& [name, file] : files) {
      if (!is_frame(name)) continue;
      const auto label = files.find(name + "_gt");
      if (label == files.end())
        complain.of_label("{}: has no label {}_gt.nii.gz beside it; add the label, or remove the image", file.string(),
                          name);
      if (label != files.end() || complain.images_for() > 0)
        cases.push_back(
            {name, printable(patient.filename().string()), {file}, label == files.end() ? path() : label->second});
    }
    if (cases.size() == before)
      complain("{}: holds no labelled frame; add ..._frameNN.nii.gz and ..._frameNN_gt.nii.gz, or remove the folder",
               patient.string());
  }
  if (!others.empty())
    complain.warn("{}: {} folders are passed over, they hold neither Info.cfg nor frames ({})", folder.string(),
                  others.size(), some_of(others));
  return cases;
}

void open_official(const path& folder, const Complaints& complain, Dataset& d) {
  d.channels = 1;
  d.classes = heart;
  const bool parts = patients_in(folder).empty();
  d.cases = frames_of(parts ? folder / "training" : folder, complain);
  if (parts) d.test = frames_of(present(folder / "testing") ? folder / "testing" : folder / "test", complain);
}

bool passed_around(const path& folder) {
  return (present(folder / "train_slices.list") || present(folder / "train.list")) && present(folder / "data");
}

/// Volumes named by a list; where a volume is missing, the slices that `slices` names of it.
std::vector<Case> listed_cases(const path& folder, const std::string& list, const std::vector<std::string>& slices,
                               const Complaints& complain) {
  std::vector<Case> cases;
  const auto file_of = [&](const path& below, const std::string& name) {
    return inside(folder / below, name + ".h5", list);
  };
  for (const std::string& name : read_list(folder / list, complain)) {
    if (const path volume = file_of("data", name); present(volume)) {
      cases.push_back({printable(name), printable(patient_of(name)), {volume}, volume});
      continue;
    }
    const std::size_t before = cases.size();
    for (const std::string& slice : slices)
      if (const path file = file_of("data/slices", slice); slice.starts_with(name + "_slice_") && present(file))
        cases.push_back({printable(slice), printable(patient_of(slice)), {file}, file});
    if (cases.size() == before)
      complain("{}: lists {}, but there is neither {} nor a slice of it; add the file or remove the line",
               (folder / list).string(), name, file_of("data", name).string());
  }
  return cases;
}

void open_passed_around(const path& folder, const Complaints& complain, Dataset& d) {
  d.channels = 1;
  d.classes = heart;
  std::vector<std::string> slices;
  if (present(folder / "train_slices.list")) slices = read_list(folder / "train_slices.list", complain);
  for (const std::string& slice : slices)
    if (!present(inside(folder / "data/slices", slice + ".h5", "train_slices.list")) &&
        !present(inside(folder / "data", slice.substr(0, slice.find("_slice_")) + ".h5", "train_slices.list")))
      complain("{}: lists {}, which does not exist; add the file or remove the line",
               (folder / "train_slices.list").string(), slice);
  d.cases = listed_cases(folder, "train.list", slices, complain);
  if (present(folder / "val.list")) d.validation = listed_cases(folder, "val.list", {}, complain);
  if (present(folder / "test.list")) d.test = listed_cases(folder, "test.list", {}, complain);
  std::set<std::string> used;
  for (const std::vector<Case>* part : {&d.cases, &d.validation, &d.test})
    for (const Case& one : *part) used.insert(one.images[0].filename().string());
  std::vector<std::string> unlisted;
  for (const auto& [name, file] : files_of(folder / "data", complain, {"/"}))
    if (!used.count(file.filename().string())) unlisted.push_back(name);
  warn_of_unlisted(unlisted, folder / "data", complain);
}

}  // namespace

const Layout cardiac_layout = {"ACDC", "patientXXX/Info.cfg with ..._frameNN.nii.gz and ..._frameNN_gt.nii.gz", official,
                               open_official};
const Layout slices_layout = {"SSL4MIS", "train.list, val.list, test.list and data/<case>.h5", passed_around,
                              open_passed_around};

}  // namespace sagcl::datasets
