#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/label_rule.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// A data set on disk: what it contains, nothing loaded.
struct Dataset {
  std::string name;
  std::filesystem::path folder;
  std::int64_t channels = 1;         ///< of every image
  std::vector<std::string> classes;  ///< names, classes[0] is the background
  LabelRule labels;
  std::vector<Case> cases;  ///< for training, sorted by id; labelled and unlabelled ones
  std::vector<Case> test;   ///< from imagesTs, sorted by id; with labels where labelsTs has them

  std::int64_t n_classes() const { return std::int64_t(classes.size()); }
};

/// Opens a data set folder. Two layouts are recognised:
///
/// * Medical Segmentation Decathlon / nnU-Net: imagesTr, labelsTr and optionally imagesUn (images nobody labelled),
/// imagesTs,
///   labelsTs, dataset.json. Files are .nii.gz, .nii or .png. With the suffix _0000, _0001, ... each channel is a file,
///   numbered without gaps. An image in imagesTr without a file in labelsTr is an unlabelled case. dataset.json may say
///   "name", "labels" ({"0": "background", ...} or {"background": 0, ...}), "training" (pairs that must exist), and our own
///   "label_map" ({"255": 1}), "label_threshold" (128) and "patient_until" (the patient is the id up to this text).
///   Without "labels" the number of classes is found by reading every label.
/// * A folder with list.tsv, a table with the columns class, file and patient (others are ignored): the image is
///   <class>/image/<file>, the label <class>/label/<file>, 8-bit masks cut at 128, the id "<class>__<stem>" with blanks as
///   '_'.
///
/// DataError if the folder cannot be read, holds neither layout, lacks a file that it lists or has labels without an image;
/// the text names the file and says what to do.
Dataset open_dataset(const std::filesystem::path& folder);

/// What dataset.json and list.tsv say, from their text; used by open_dataset and by the fuzzers.
struct DatasetNotes {
  std::string name;
  std::vector<std::string> classes;
  LabelRule labels;
  std::string patient_until;
  std::vector<std::pair<std::string, std::string>> training;  ///< image and label, relative to the folder
};
DatasetNotes parse_dataset_json(std::string_view text, const std::string& name);

struct ListRow {
  std::string tile_class, file, patient;
};
std::vector<ListRow> parse_list_tsv(std::string_view text, const std::string& name);

/// A path from a list, which must stay inside the folder: relative and without "..". DataError otherwise.
std::filesystem::path inside(const std::filesystem::path& folder, const std::string& listed, const std::string& name);

}  // namespace sagcl::datasets
