#include <algorithm>
#include <map>
#include <set>

#include "datasets/formats/formats.h"
#include "datasets/layouts/layout_kinds.h"
#include "datasets/layouts/patient_names.h"
#include "datasets/text.h"

// The layout of nnU-Net and the Medical Segmentation Decathlon: imagesTr, labelsTr, imagesUn, imagesTs, labelsTs,
// dataset.json.
namespace sagcl::datasets {

using std::filesystem::path;

namespace {

using Files = std::map<std::string, path>;  // case name -> file

/// True if the files are named as nnU-Net does, <case>_<channel>: the labels say so, which are called <case>. Without a
/// label that fits, every case must have all channels that dataset.json names, or the same channels as all others.
bool uses_channel_suffix(const Files& images, const Files& labels, std::int64_t named_channels) {
  std::map<std::string, std::int64_t> channels;  // case -> files
  bool complete = !images.empty(), by_label = false;
  for (const auto& [stem, file] : images) {
    const std::optional<std::int64_t> channel = channel_in(stem);
    if (channel && labels.count(stem)) return false;  // the label of this whole name
    by_label = by_label || (channel && labels.count(without_channel(stem)));
    complete = complete && channel && *channel == channels[without_channel(stem)]++;
  }
  const std::int64_t each = channels.empty() ? 0 : channels.begin()->second;
  return by_label || (complete && (named_channels == 0 || each == named_channels) &&
                      std::all_of(channels.begin(), channels.end(), [&](const auto& c) { return c.second == each; }));
}

/// How many files a case should have: `named` channels if any has so many, else as most cases have, the larger number of
/// two that are as frequent.
std::int64_t expected_files(const std::vector<Case>& cases, std::size_t named) {
  std::map<std::size_t, std::int64_t> counts;
  for (const Case& one : cases) ++counts[one.images.size()];
  if (counts.count(named)) return std::int64_t(named);
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second <= b.second; });
  return most == counts.end() ? 1 : std::int64_t(most->first);
}

/// The parts of a data set as they are put together.
class Collector {
 public:
  Collector(const path& folder, const DatasetNotes& notes, const std::string& notes_name, const Complaints& complain)
      : folder_(folder), notes_(notes), notes_name_(notes_name), complain_(complain) {
    const std::int64_t channels = complain.images_for() > 0 ? complain.images_for() : std::int64_t(notes.channels.size());
    suffixed_ = uses_channel_suffix(look_into(folder / "imagesTr").files, look_into(folder / "labelsTr").files, channels);
  }

  /// Cases of an image folder, with the labels of the same names in another.
  std::vector<Case> pairs_of(const char* images, const char* labels) {
    Files masks = *labels && complain_.images_for() == 0 ? files_of(folder_ / labels, complain_) : Files();
    std::vector<Case> cases;
    for (auto& [id, files] : group_channels(files_of(folder_ / images, complain_))) {
      Case one{id, patient_of(id), std::move(files), {}};
      if (const auto found = masks.find(id); found != masks.end()) {
        one.label = found->second;
        masks.erase(found);
      }
      cases.push_back(std::move(one));
    }
    masks_left_[images] = std::move(masks);
    return cases;
  }

  /// The cases of a list of dataset.json: those of `cases` whose files it names are taken out of there.
  std::vector<Case> listed(const std::vector<DatasetNotes::Pair>& pairs, std::vector<Case>& cases) {
    std::vector<Case> taken;
    for (const DatasetNotes::Pair& pair : pairs) {
      Case one = take(pair, cases);
      if (one.images.empty()) continue;
      if (!pair.label.empty()) {
        one.label = file_of(pair.label);
        std::erase_if(masks_left_["imagesTr"], [&](const auto& mask) { return mask.second == one.label; });
        if (!present(one.label) && complain_.images_for() == 0) complain_of_missing(one.label), one.label.clear();
      }
      taken.push_back(std::move(one));
    }
    return taken;
  }

  /// Cases whose channel files are not the expected ones, all in one complaint; they are left out, unless none remained.
  void complain_of_channels(Dataset& d) const {
    const std::int64_t expected = expected_files(d.cases, notes_.channels.size());
    std::vector<std::string> wrong;
    std::set<std::string> ids;
    for (const std::vector<Case>* part : {&d.cases, &d.validation, &d.test})
      for (const Case& one : *part) {
        const std::int64_t n = complain_.images_for() > 0 ? std::int64_t(one.images.size()) : expected;
        if (const std::string text = wrong_channels(one, n); !text.empty())
          wrong.push_back(fmt::format("{} {}", one.id, text)), ids.insert(one.id);
      }
    if (wrong.empty()) return;
    complain_(
        "{}: channel files are missing or too many in {} ({}); channels are numbered from _0000 without gaps, alike in "
        "every case: add the missing files, or take the case away",
        folder_.string(), counted(std::int64_t(wrong.size()), "case"), some_of(wrong, most_named));
    if (std::all_of(d.cases.begin(), d.cases.end(), [&](const Case& one) { return ids.count(one.id) > 0; })) return;
    for (std::vector<Case>* part : {&d.cases, &d.validation, &d.test})
      std::erase_if(*part, [&](const Case& one) { return ids.count(one.id) > 0; });
  }

  void complain_of_masks() const {
    for (const auto& [images, masks] : masks_left_) complain_of_masks_left(masks, folder_ / images, complain_);
  }

 private:
  /// Case id -> its image files in channel order.
  std::map<std::string, std::vector<path>> group_channels(const Files& images) {
    std::map<std::string, std::vector<path>> cases;
    std::vector<std::string> bare;             // without a suffix
    for (const auto& [stem, file] : images) {  // sorted, so channels arrive in order
      const std::optional<std::int64_t> channel = suffixed_ ? channel_in(stem) : std::nullopt;
      if (suffixed_ && !channel) bare.push_back(printable(file.filename().string()));
      const std::string id = channel ? without_channel(stem) : stem;
      cases[id].push_back(file);
      if (channel) numbers_[id].insert(*channel);
    }
    if (!bare.empty())
      complain_("{}: {} of {} lack the channel suffix (_0000) that the other images have; rename them ({})",
                images.begin()->second.parent_path().string(), bare.size(), counted(std::int64_t(images.size()), "image"),
                some_of(bare, most_named));
    return cases;
  }

  /// Channels that a case has otherwise than the `n` that it should: "lacks _0001"; empty if none.
  std::string wrong_channels(const Case& one, std::int64_t n) const {
    const auto found = numbers_.find(one.id);
    if (found == numbers_.end()) return "";
    std::vector<std::string> lacking, more;
    for (std::int64_t c = 0; c < n; ++c)
      if (!found->second.count(c)) lacking.push_back(fmt::format("_{:04}", c));
    for (const std::int64_t c : found->second)
      if (c >= n) more.push_back(fmt::format("_{:04}", c));
    if (!lacking.empty()) return "lacks " + some_of(lacking);
    return more.empty() ? "" : "has " + some_of(more) + ", too";
  }

  /// Who a case belongs to: "patients" of dataset.json names it, else the id up to "patient_until", else BIDS names do.
  std::string patient_of(const std::string& id) const {
    if (const auto named = notes_.patients.find(id); named != notes_.patients.end()) return named->second;
    if (!notes_.patient_until.empty()) return id.substr(0, id.find(notes_.patient_until));
    const std::string subject = bids_subject(id);
    return subject.empty() ? id : subject;
  }

  /// A listed path; some lists are written with the back-slashes of Windows.
  path file_of(const std::string& listed) const {
    const path file = inside(folder_, listed, notes_name_);
    if (present(file) || listed.find('\\') == std::string::npos) return file;
    std::string other = listed;
    std::replace(other.begin(), other.end(), '\\', '/');
    return inside(folder_, other, notes_name_);
  }

  void complain_of_missing(const path& file) const {
    complain_("{}: lists {}, which does not exist; add the file or remove it from the list", notes_name_, file.string());
  }

  /// The listed images: a case of the folder, else files that lie elsewhere; without images where they are missing.
  Case take(const DatasetNotes::Pair& pair, std::vector<Case>& cases) const {
    std::vector<path> files;
    for (const std::string& image : pair.images) files.push_back(file_of(image));
    const std::string stem = case_name(files[0]);
    const auto found = std::find_if(cases.begin(), cases.end(), [&](const Case& one) {
      // nnU-Net 1 leaves _0000 out
      const bool by_id = one.id == stem && files[0].parent_path() == one.images[0].parent_path();
      return by_id || std::find(one.images.begin(), one.images.end(), files[0]) != one.images.end();
    });
    if (found != cases.end() && (files.size() == 1 || found->images == files)) {
      Case one = std::move(*found);
      cases.erase(found);
      return one;
    }
    for (const path& file : files)
      if (!present(file)) {
        complain_of_missing(file);
        return {};
      }
    const std::string id = found != cases.end() ? found->id : stem;
    std::erase_if(cases, [&](const Case& one) {  // of single files, which the list puts together
      return std::find(files.begin(), files.end(), one.images[0]) != files.end();
    });
    return {id, patient_of(id), files, {}};
  }

  const path& folder_;
  const DatasetNotes& notes_;
  const std::string& notes_name_;
  const Complaints& complain_;
  std::map<std::string, Files> masks_left_;                // by folder of images
  std::map<std::string, std::set<std::int64_t>> numbers_;  // of the channels that a case has; where files are suffixed
  bool suffixed_ = false;
};

/// What dataset.json says beside what there is.
void compare(const DatasetNotes& notes, const std::string& name, const Dataset& d, const Complaints& complain) {
  std::int64_t labelled = 0;
  for (const std::vector<Case>* part : {&d.cases, &d.validation})
    labelled += std::count_if(part->begin(), part->end(), [](const Case& one) { return one.has_label(); });
  if (notes.labelled != 0 && notes.labelled != labelled)
    complain.warn("{}: 'numTraining' is {}, but there are {} labelled cases; the copy may be incomplete", name,
                  notes.labelled, labelled);
  if (notes.patients.empty() && notes.patient_until.empty()) remark_patients(d, name, complain);
}

bool is_decathlon(const path& folder) { return present(folder / "imagesTr"); }

void open_decathlon(const path& folder, const Complaints& complain, Dataset& d) {
  const path notes_file = folder / "dataset.json";
  const std::string name = notes_file.string();
  DatasetNotes notes;
  if (present(notes_file)) notes = parse_dataset_json(read_text(notes_file), name, complain.images_for() == 0);
  if (!notes.name.empty()) d.name = notes.name;
  d.labels = notes.labels, d.classes = notes.classes, d.channel_names = notes.channels;
  Collector collect(folder, notes, name, complain);
  d.cases = collect.pairs_of("imagesTr", "labelsTr");
  d.validation = collect.listed(notes.validation_pairs, d.cases);
  if (!notes.training.empty()) {
    std::vector<Case> rest = std::exchange(d.cases, {});
    d.cases = collect.listed(notes.training, rest);
    std::vector<std::string> unlisted;  // with a label; those without are unlabelled cases, which no list of pairs can name
    for (Case& one : rest) {
      const bool held_out = std::count(notes.validation.begin(), notes.validation.end(), one.id) > 0;
      if (one.has_label() && !held_out) unlisted.push_back(one.id);
      else d.cases.push_back(std::move(one));
    }
    if (!unlisted.empty())
      complain.warn(
          "{}: 'training' does not list {} labelled images of imagesTr, so they are not used ({}); add them, or remove "
          "the list",
          name, unlisted.size(), some_of(unlisted));
  }
  for (Case& one : collect.pairs_of("imagesUn", "")) d.cases.push_back(std::move(one));
  d.test = collect.pairs_of("imagesTs", "labelsTs");
  collect.complain_of_masks();
  collect.complain_of_channels(d);
  const auto held_out = std::stable_partition(d.cases.begin(), d.cases.end(), [&](const Case& one) {
    return std::find(notes.validation.begin(), notes.validation.end(), one.id) == notes.validation.end();
  });
  const std::size_t found = std::size_t(d.cases.end() - held_out);
  d.validation.insert(d.validation.end(), std::make_move_iterator(held_out), std::make_move_iterator(d.cases.end()));
  d.cases.erase(held_out, d.cases.end());
  if (found != notes.validation.size())
    complain("{}: 'validation' names {} cases, {} of them are in imagesTr; correct the list", name, notes.validation.size(),
             found);
  const auto by_id = [](const Case& a, const Case& b) { return a.id < b.id; };
  for (std::vector<Case>* part : {&d.cases, &d.validation}) std::sort(part->begin(), part->end(), by_id);
  if (complain.images_for() == 0) compare(notes, name, d, complain);
}

}  // namespace

const Layout decathlon_layout = {"nnU-Net", "imagesTr with labelsTr (Decathlon and nnU-Net layout)", is_decathlon,
                                 open_decathlon};

}  // namespace sagcl::datasets
