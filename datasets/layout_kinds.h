#pragma once
#include <map>
#include <string>
#include <vector>

#include "datasets/layouts.h"
#include "engine/error.h"

namespace sagcl::datasets {

/// Where mistakes of a data set go: into a list, or, without one, the first is thrown as a DataError.
class Complaints {
 public:
  explicit Complaints(std::vector<std::string>* list) : list_(list) {}
  template <class... Values> void operator()(fmt::format_string<Values...> text, Values&&... values) const {
    if (!list_) engine::fail<engine::DataError>(text, std::forward<Values>(values)...);
    list_->push_back(fmt::format(text, std::forward<Values>(values)...));
  }

 private:
  std::vector<std::string>* list_;
};

/// One way in which a data set lies on disk. `open` fills in what the layout knows; channels and classes may be left open.
struct Layout {
  const char* name;
  const char* looks_like;  ///< for people
  bool (*recognised)(const std::filesystem::path&);
  void (*open)(const std::filesystem::path&, const Complaints&, Dataset&);
};
extern const Layout decathlon_layout, list_layout, atrium_layout, cardiac_layout, slices_layout, tiles_layout, pairs_layout;

bool present(const std::filesystem::path& p);

/// Case name -> file, for the images directly in a folder; empty if there is no such folder. Two files of one name are a
/// DataError.
std::map<std::string, std::filesystem::path> files_of(const std::filesystem::path& folder);

/// The folders directly in a folder, by name.
std::vector<std::filesystem::path> folders_of(const std::filesystem::path& folder);

/// The lines of a list of names, without blanks, empty lines and a trailing ".h5"; a name twice is a complaint.
std::vector<std::string> read_list(const std::filesystem::path& file, const Complaints& complain);

/// The images of one folder with the masks of the same names in another; those without partner are complained of.
std::vector<Case> pair_files(const std::filesystem::path& images, const std::filesystem::path& labels,
                             const Complaints& complain);

}  // namespace sagcl::datasets
