#include "datasets/layouts/layouts.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "datasets/formats/formats.h"
#include "datasets/formats/png.h"
#include "datasets/layouts/layout_kinds.h"
#include "datasets/text.h"

namespace sagcl::datasets {

using engine::DataError;
using engine::require;
using std::filesystem::path;

namespace {

constexpr std::int64_t max_found_classes = 64;  // more distinct values without a dataset.json are a sign of something else
constexpr const Layout* layouts[] = {&decathlon_layout, &list_layout,  &cardiac_layout, &slices_layout,
                                     &atrium_layout,    &tiles_layout, &pairs_layout};

const Layout* layout_at(const path& folder) {
  for (const Layout* layout : layouts)
    if (layout->recognised(folder)) return layout;
  return nullptr;
}

/// Cases of another number of files than the first are left out, all in one complaint.
void check_files(Dataset& d, const Complaints& complain) {
  const std::size_t files = d.cases.front().images.size();
  std::vector<std::string> others;
  for (const Case& one : d.cases)
    if (one.images.size() != files) others.push_back(fmt::format("{} has {}", one.id, one.images.size()));
  if (others.empty()) return;
  complain("{}: case {} has {}, {}; give every case the same channels", d.folder.string(), d.cases.front().id,
           counted(std::int64_t(files), "channel file"), some_of(others, most_named));
  std::erase_if(d.cases, [&](const Case& one) { return one.images.size() != files; });
}

/// Of the first image that can be read; the checker goes on after one that cannot.
std::int64_t channels_in_files(const Dataset& d, const Complaints& complain) {
  for (const Case& one : d.cases) try {
      return read_image(one.images[0], 0, one.axes).voxels.shape()[3];
    } catch (const DataError&) {
      if (!complain.collects() || &one == &d.cases.back()) throw;
    }
  return 1;
}

/// Of every image: as many as a case has files, or as the first file has. PNG images are read in colour if one of them is in
/// colour, or dataset.json names three channels.
std::int64_t channels_of(Dataset& d, const Complaints& complain) {
  check_files(d, complain);
  const Case& first = d.cases.front();
  if (first.images.size() > 1) return std::int64_t(first.images.size());
  if (!is_png(first.images[0])) return channels_in_files(d, complain);
  const path *grey = nullptr, *colour = nullptr;
  for (const Case& one : d.cases)
    if (is_png(one.images[0])) (read_png_info(one.images[0]).is_grey() ? grey : colour) = &one.images[0];
  if (grey && colour)
    complain.warn("{} is in colour, {} is grey: all are read in colour; convert the images to one kind", colour->string(),
                  grey->string());
  return colour || d.channel_names.size() == 3 ? 3 : 1;
}

/// Why labels show no class.
[[noreturn]] void fail_without_classes(const Dataset& d, const std::vector<std::string>& unread) {
  const auto labelled = std::count_if(d.cases.begin(), d.cases.end(), [](const Case& one) { return one.has_label(); });
  const std::string notes = (d.folder / "dataset.json").string();
  if (!unread.empty())
    engine::fail<DataError>(
        "{}{}", unread.front(),
        unread.size() > 1 ? fmt::format("; so it is with {} of {} labels", unread.size(), labelled) : "");
  require<DataError>(labelled > 0,
                     "{}: holds {} and 0 labels, so that nothing says what the classes are; put labels, each named as its "
                     "image, into {}",
                     d.folder.string(), counted(std::int64_t(d.cases.size()), "image"), (d.folder / "labelsTr").string());
  engine::fail<DataError>(
      "{}: {} hold background alone, so that nothing says what the classes are; check that they belong to "
      "these images, or name the classes in {}",
      d.folder.string(), counted(labelled, "label"), notes);
}

/// Names for the classes when dataset.json does not give them: from the rule, or by looking at every label. The checker goes
/// on after a label that cannot be understood, and comes back to it.
std::vector<std::string> find_classes(const Dataset& d, const Complaints& complain) {
  std::int64_t highest = std::max<std::int64_t>(d.labels.classes() - 1, 0);
  std::vector<std::string> unread;
  if (highest == 0)
    for (const Case& one : d.cases) try {
        if (!one.has_label()) continue;
        const StoredLabel stored = read_label(one.label, one.axes);
        highest = std::max(highest, highest_class(stored, d.labels.ignored, max_found_classes, one.label.string()));
      } catch (const DataError& e) {
        if (!complain.collects()) throw;
        unread.push_back(e.what());
      }
  if (highest < 1) fail_without_classes(d, unread);
  std::vector<std::string> names = {"background"};
  for (std::int64_t c = 1; c <= highest; ++c) names.push_back(fmt::format("class {}", c));
  return names;
}

/// A case that was not understood is left out and complained of, so that every mistake can be listed at once.
void check_names(Dataset& d, const Complaints& complain) {
  std::set<std::string> ids;
  for (std::vector<Case>* part : {&d.cases, &d.validation, &d.test})
    std::erase_if(*part, [&](const Case& one) {
      const bool twice = !ids.insert(one.id).second;
      if (twice) complain("{}: the case {} appears twice; rename one of its files", d.folder.string(), one.id);
      return twice;
    });
}

/// What a folder holds that is no data set, and which folder near it is one.
std::string what_lies_in(const path& folder) {
  std::vector<std::string> files, folders, datasets;
  bool dicom = false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const bool is_folder = entry.is_directory(error);
    (is_folder ? folders : files).push_back(printable(entry.path().filename().string()));
    if (is_folder && layout_at(entry.path())) datasets.push_back(entry.path().string());
    const std::string ending = entry.path().extension().string();
    dicom = dicom || ending == ".dcm" || ending == ".DCM" || ending == ".ima" || ending == ".IMA";
  }
  for (auto* names : {&files, &folders, &datasets}) std::sort(names->begin(), names->end());
  const path whole = std::filesystem::absolute(folder, error).lexically_normal();
  const path above = (whole.has_filename() ? whole : whole.parent_path()).parent_path();
  std::string text = files.empty() && folders.empty() ? "it is empty" : "";
  if (!files.empty()) text += fmt::format("it holds {} ({})", counted(std::int64_t(files.size()), "file"), some_of(files));
  if (!folders.empty())
    text += fmt::format("{}{} ({})", text.empty() ? "it holds " : " and ", counted(std::int64_t(folders.size()), "folder"),
                        some_of(folders));
  if (dicom) text += "; these are DICOM files: write NIfTI files of them with dcm2niix";
  if (!datasets.empty()) text += fmt::format("; {} is a data set: give that folder", datasets.front());
  else if (layout_at(above)) text += fmt::format("; the folder above it is a data set: give {}", above.string());
  return text;
}

/// All that a folder says.
void fill(Dataset& d, const Layout& layout, const Complaints& complain, const OpenOptions& options) {
  const path& folder = d.folder;
  layout.open(folder, complain, d);
  if (options.labels) {
    const auto ignored = d.labels.ignored;  // of dataset.json: a rule cannot say it
    d.labels = *options.labels;
    d.labels.ignored = ignored;
    if (d.labels.classes() != 0 && d.labels.classes() != d.n_classes()) d.classes.clear();  // the names are of other classes
  }
  check_names(d, complain);
  const bool enough = !d.cases.empty() || (options.images_for > 0 && !(d.test.empty() && d.validation.empty()));
  require<DataError>(enough, "{}: holds no image ({}) for training",
                     (folder / (&layout == &decathlon_layout ? "imagesTr" : "")).string(), format_names());
  if (options.images_for > 0) return;
  if (d.channels == 0) d.channels = channels_of(d, complain);
  if (!d.channel_names.empty() && std::int64_t(d.channel_names.size()) != d.channels)
    complain("{}: names {} channels, the images have {}; add the missing files, or correct the names",
             (folder / "dataset.json").string(), d.channel_names.size(), d.channels);
  if (d.classes.empty()) d.classes = find_classes(d, complain);
}

}  // namespace

bool is_dataset(const path& folder) { return layout_at(folder) != nullptr; }

Dataset open_dataset(const path& folder, const OpenOptions& options) {
  std::error_code error;
  require<DataError>(std::filesystem::is_directory(folder, error), "{}: is not a folder that can be read{}", folder.string(),
                     error ? ": " + error.message() : "");
  std::filesystem::directory_iterator readable(folder, error);
  require<DataError>(!error, "{}: the folder cannot be read: {}; check its permissions", folder.string(), error.message());
  const Layout* layout = layout_at(folder);
  if (!layout) {
    std::string known;
    for (const Layout* one : layouts) known += fmt::format("\n  {}: {}", one->name, one->looks_like);
    engine::fail<DataError>("{}: holds none of the known layouts: {}. A data set is a folder that contains one of them:{}",
                            folder.string(), what_lies_in(folder), known);
  }
  Dataset d;
  const Complaints complain(options.problems, d.warnings, options.images_for);
  d.folder = folder, d.layout = layout->name, d.channels = 0;
  const path whole = std::filesystem::absolute(folder).lexically_normal();
  d.name = printable((whole.has_filename() ? whole : whole.parent_path()).filename().string());  // also of "DIR/"
  if (d.name.empty()) d.name = "data set";
  try {
    fill(d, *layout, complain, options);
  } catch (const engine::IoError&) { throw; } catch (const engine::MissingInput&) {
    throw;
  } catch (const DataError& e) {  // what was passed over is often the cause
    if (d.warnings.empty()) throw;
    engine::fail<DataError>("{}\n  {}", e.what(), fmt::join(d.warnings, "\n  "));
  }
  return d;
}

}  // namespace sagcl::datasets
