#include <set>

#include "datasets/formats/json_file.inl"
#include "datasets/sha256.h"
#include "datasets/split.h"
#include "engine/files/atomic_file.h"
#include "engine/files/read_file.h"
#include "engine/parallel.h"

// split.json: the parts by case id, and the hash of every case.
namespace sagcl::datasets {

using engine::DataError;
using engine::require;

namespace {

constexpr const char* format_name = "sagcl split 1";

std::vector<std::string> names_at(const Json& json, const char* key, const std::string& name) {
  const auto found = json.find(key);
  require<DataError>(found != json.end() && found->is_array(), "{}: '{}' must be a list of case ids", name, key);
  std::vector<std::string> ids;
  for (const Json& id : *found) {
    require<DataError>(id.is_string(), "{}: '{}' must be a list of case ids, it holds {}", name, key, id.dump());
    ids.push_back(id.get<std::string>());
  }
  return ids;
}

}  // namespace

std::string hash_of(const Case& one) {
  std::string hashes;
  for (const auto& file : one.images) hashes += sha256(engine::read_file(file));
  if (one.has_label()) hashes += sha256(engine::read_file(one.label));
  return sha256(hashes);
}

void write_split(const std::filesystem::path& file, const Dataset& data, const Split& split) {
  check_split(data, split);
  std::vector<std::string> ids;
  for (const auto* part : {&split.labelled, &split.unlabelled, &split.validation, &split.test})
    ids.insert(ids.end(), part->begin(), part->end());
  std::vector<std::string> hash(ids.size());
  engine::parallel_for(std::int64_t(ids.size()), 2, [&](std::int64_t i) {
    const auto known = split.hashes.find(ids[std::size_t(i)]);
    hash[std::size_t(i)] = known != split.hashes.end() ? known->second : hash_of(find_case(data, ids[std::size_t(i)]));
  });
  Json hashes = Json::object();
  for (std::size_t i = 0; i < ids.size(); ++i) hashes[ids[i]] = hash[i];
  const Json json = {{"format", format_name},
                     {"data", data.name},
                     {"labelled", split.labelled},
                     {"unlabelled", split.unlabelled},
                     {"validation", split.validation},
                     {"test", split.test},
                     {"sha256", hashes}};
  engine::write_file_atomically(file, json.dump(1) + "\n");
}

Split parse_split(std::string_view text, const std::string& name) {
  const Json json = parse_json(text, name);
  require<DataError>(text_at(json, "format", "", name) == format_name,
                     "{}: is not a split file (\"format\": \"{}\" is missing)", name, format_name);
  Split split{names_at(json, "labelled", name),
              names_at(json, "unlabelled", name),
              names_at(json, "validation", name),
              names_at(json, "test", name),
              {}};
  const auto hashes = json.find("sha256");
  require<DataError>(hashes != json.end() && hashes->is_object(), "{}: 'sha256' must map case ids to hashes", name);
  for (const auto& [id, hash] : hashes->items()) {
    require<DataError>(hash.is_string(), "{}: the hash of {} must be text", name, id);
    split.hashes[id] = hash.get<std::string>();
  }
  return split;
}

Split read_split(const std::filesystem::path& file, const Dataset& data, std::vector<std::string>* renewed) {
  Split split = parse_split(engine::read_file(file, std::size_t(64) << 20), file.string());
  check_split(data, split);
  for (const auto* part : {&split.labelled, &split.unlabelled, &split.validation, &split.test})
    for (const std::string& id : *part) {
      const auto hash = split.hashes.find(id);
      require<DataError>(hash != split.hashes.end(), "{}: has no hash for case {}; make the split again", file.string(), id);
      const std::string now = hash_of(find_case(data, id));
      if (hash->second == now) continue;
      const bool held_out = part == &split.validation || part == &split.test;
      require<DataError>(held_out && renewed,
                         "{}: the files of case {} have changed since the split was made; restore them or make the split "
                         "again",
                         file.string(), id);
      renewed->push_back(id);
      hash->second = now;
    }
  return split;
}

}  // namespace sagcl::datasets
