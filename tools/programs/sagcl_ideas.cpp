#include <CLI/CLI.hpp>

#include "engine/files/atomic_file.h"
#include "tools/ideas/ideas.h"
#include "tools/programs/program.h"

// sagcl-ideas: the pictures of docs/ideas.
using namespace sagcl;

int main(int argc, char** argv) {
  CLI::App app(
      "Trains a small network on the glands and draws what the paper's equations do to a tile: the pictures of docs/ideas.\n"
      "The files' paths go to standard output.");
  std::string data = "data/glands", out;
  std::int64_t steps = 300;
  app.add_option("--data", data, "folder of the glands")->capture_default_str()->type_name("DIR");
  app.add_option("--out", out, "folder to write the pictures to")->required()->type_name("DIR");
  app.add_option("--steps", steps, "of the training")->capture_default_str()->check(CLI::Range(2, 100000));
  return tools::run_program(app, argc, argv, "  sagcl-ideas --out docs/ideas\n", [&] {
    tools::require_folder(data, "--data");
    tools::make_folder(out);
    tools::Subject subject = tools::make_subject(data, steps);
    for (const auto draw : {tools::affinity_picture, tools::nuclear_norm_picture, tools::hard_negatives_picture,
                            tools::entropy_picture, tools::copy_paste_picture}) {
      const tools::IdeaPicture picture = draw(subject);
      const std::filesystem::path file = std::filesystem::path(out) / picture.file;
      engine::write_file_atomically(file, picture.svg);
      fmt::print("{}\n", file.string());
    }
    return int(tools::exit_ok);
  });
}
