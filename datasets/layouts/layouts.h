#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/label_rule.h"
#include "datasets/volume.h"

namespace sagcl::datasets {

/// A data set on disk: what it contains, nothing loaded.
struct Dataset {
  std::string name, layout;
  std::filesystem::path folder;
  std::int64_t channels = 1;               ///< of every image
  std::vector<std::string> channel_names;  ///< as dataset.json names them ("CT", "T1"); empty where it does not
  std::vector<std::string> classes;        ///< names, classes[0] is the background
  LabelRule labels;
  std::vector<Case> cases;             ///< for training, labelled and unlabelled ones; in the order of a list, else by id
  std::vector<Case> validation, test;  ///< the data set's own parts, where it has them
  std::vector<std::string> warnings;   ///< what somebody should know: files passed over, lists that do not fit the files

  std::int64_t n_classes() const { return std::int64_t(classes.size()); }
};

struct OpenOptions {
  std::optional<LabelRule> labels;  ///< instead of the data set's own
  /// collects what is wrong with lists and pairs, instead of throwing the first
  std::vector<std::string>* problems = nullptr;
  /// Above 0: images alone, for a network of so many channels. Labels are neither read nor missed, and say nothing; classes
  /// and channels stay as far open as the layout leaves them.
  std::int64_t images_for = 0;
};

/// Opens a data set folder in one of these layouts, unchanged as it is passed around:
///
/// * nnU-Net, Medical Segmentation Decathlon: imagesTr, labelsTr and optionally imagesUn (images nobody labelled), imagesTs,
///   labelsTs, dataset.json; files of any format of formats.h. With the suffix _0000, _0001, ... each channel is a file,
///   numbered without gaps. An image in imagesTr without a file in labelsTr is an unlabelled case. dataset.json may say
///   "name", "labels" ({"0": "background", ...} or {"background": 0, ...}; the class "ignore" of nnU-Net, the last, marks
///   voxels that nobody annotated), "channel_names" or "modality" (their number must fit), "numTraining", "training" (pairs
///   of image and label; then these are the labelled cases, whatever their files are called; nnU-Net 1 leaves _0000 out
///   there), and our own "label_map" ({"255": 1} or "0:0,255:1", "cut:128", "instances"), "label_threshold" (128),
///   "patient_until" (the patient is the id up to this text), "patients" ({case: patient}) and "validation" (ids held out,
///   or pairs as in "training"). Without these two the patient of a name of BIDS, sub-XX[_ses-YY][_key-value ...][_suffix],
///   is sub-XX. Without "labels" the number of classes is found by reading every label.
/// * LA 2018: <case>/lgemri.nrrd with laendo.nrrd, or <case>/mri_norm2.h5 (x, y, z) with train.list and test.list.
/// * ACDC: patientXXX folders (or training and testing with such) with Info.cfg, ..._frameNN and ..._frameNN_gt; the 4D
///   series is left out. Both frames of a patient belong together.
/// * SSL4MIS's ACDC: train.list, val.list, test.list, data/<case>.h5; volumes that are missing are read as data/slices.
/// * CRAG: train and test (or valid), each Images and Annotation (or Annotations); instance numbers become foreground.
/// * EBHI-Seg: list.tsv, a table with the columns class, file and patient (others are ignored): the image is
///   <class>/image/<file>, the label <class>/label/<file>, 8-bit masks cut at 128, the id "<class>__<stem>" with blanks as
///   '_'.
/// * Sunnybrook: Images and Labels (0 and 255) with files of the same names, perhaps in parts; the patient is the id up to
/// "-IM".
///
/// DataError if the folder cannot be read, holds none of these, lacks a file that it lists, or has images or labels without
/// partner; the text names the file, says what to do, and lists the warnings: what was passed over is often the cause.
Dataset open_dataset(const std::filesystem::path& folder, const OpenOptions& options = {});

/// True if a folder is in one of the layouts.
bool is_dataset(const std::filesystem::path& folder);

/// The case that an image file makes alone. Its id is the file's name without ending; where the file of every case has the
/// same name, as LA's lgemri.nrrd and mri_norm2.h5 (whose array is [x][y][z]), that of its folder.
Case case_of_file(const std::filesystem::path& file);

/// True for the label of an image beside it: LA's laendo.nrrd, ACDC's ..._gt.
bool is_label_of_neighbour(const std::filesystem::path& file);

/// What dataset.json and list.tsv say, from their text; used by open_dataset and by the fuzzers.
struct DatasetNotes {
  std::string name;
  std::vector<std::string> classes;
  LabelRule labels;
  std::string patient_until;
  std::map<std::string, std::string> patients;  ///< case -> patient
  std::vector<std::string> channels;            ///< "channel_names" or "modality", "" for one that is no text
  std::int64_t labelled = 0;                    ///< "numTraining"; 0 where it does not say
  std::vector<std::string> validation;          ///< ids
  struct Pair {
    std::vector<std::string> images;  ///< one file, or one per channel; relative to the folder
    std::string label;                ///< empty for an image without one
  };
  std::vector<Pair> training, validation_pairs;
};
DatasetNotes parse_dataset_json(std::string_view text, const std::string& name, bool with_labels = true);

struct ListRow {
  std::string tile_class, file, patient;
};
std::vector<ListRow> parse_list_tsv(std::string_view text, const std::string& name);

/// A path from a list, which must stay inside the folder: relative and without "..". DataError otherwise.
std::filesystem::path inside(const std::filesystem::path& folder, const std::string& listed, const std::string& name);

}  // namespace sagcl::datasets
