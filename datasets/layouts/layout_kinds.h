#pragma once
#include <map>
#include <string>
#include <vector>

#include "datasets/layouts/folder.h"
#include "datasets/layouts/layouts.h"
#include "engine/error.h"

namespace sagcl::datasets {

/// Where what is wrong with a data set goes: into a list, or, without one, the first mistake is thrown as a DataError. What
/// somebody should know about goes into the data set's warnings.
class Complaints {
 public:
  Complaints(std::vector<std::string>* mistakes, std::vector<std::string>& warnings, std::int64_t images_for = 0)
      : mistakes_(mistakes), warnings_(&warnings), images_for_(images_for) {}
  template <class... Values>
  void operator()(fmt::format_string<Values...> text, Values&&... values) const {
    if (!mistakes_) engine::fail<engine::DataError>(text, std::forward<Values>(values)...);
    mistakes_->push_back(fmt::format(text, std::forward<Values>(values)...));
  }
  /// About a label; nothing where images alone are wanted.
  template <class... Values>
  void of_label(fmt::format_string<Values...> text, Values&&... values) const {
    if (images_for_ == 0) (*this)(text, std::forward<Values>(values)...);
  }
  bool collects() const { return mistakes_ != nullptr; }   ///< opening goes on after a mistake
  std::int64_t images_for() const { return images_for_; }  ///< OpenOptions::images_for
  template <class... Values>
  void warn(fmt::format_string<Values...> text, Values&&... values) const {
    warnings_->push_back(fmt::format(text, std::forward<Values>(values)...));
  }

 private:
  std::vector<std::string>* mistakes_;
  std::vector<std::string>* warnings_;
  std::int64_t images_for_;
};

/// One way in which a data set lies on disk. `open` fills in what the layout knows; channels and classes may be left open.
struct Layout {
  const char* name;
  const char* looks_like;  ///< for people
  bool (*recognised)(const std::filesystem::path&);
  void (*open)(const std::filesystem::path&, const Complaints&, Dataset&);
};
extern const Layout decathlon_layout, list_layout, atrium_layout, cardiac_layout, slices_layout, tiles_layout, pairs_layout;

inline constexpr std::size_t most_named = 10;  ///< cases that one complaint lists

bool present(const std::filesystem::path& p);

/// Case name -> file, for the images directly in a folder; empty if there is no such folder. Mistakes are complained of, and
/// what is passed over is warned of, but for the endings in `expected` ("/": folders).
std::map<std::string, std::filesystem::path> files_of(const std::filesystem::path& folder, const Complaints& complain,
                                                      std::initializer_list<const char*> expected = {});

/// The folders directly in a folder, by name.
std::vector<std::filesystem::path> folders_of(const std::filesystem::path& folder);

/// The lines of a list of names, without blanks, empty lines and a trailing ".h5"; a name twice is a complaint.
std::vector<std::string> read_list(const std::filesystem::path& file, const Complaints& complain);

/// The images of one folder with the masks of the same names in another; those without partner are complained of.
/// `parts` says that folders in them are looked at elsewhere.
std::vector<Case> pair_files(const std::filesystem::path& images, const std::filesystem::path& labels,
                             const Complaints& complain, bool parts = false);

/// Masks that no image has taken, in one complaint.
void complain_of_masks_left(const std::map<std::string, std::filesystem::path>& left, const std::filesystem::path& images,
                            const Complaints& complain);

/// Cases that lie there and that no list names.
void warn_of_unlisted(const std::vector<std::string>& names, const std::filesystem::path& where, const Complaints& complain);

}  // namespace sagcl::datasets
