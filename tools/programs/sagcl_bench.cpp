#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <thread>

#include "engine/devices/device_choice.h"
#include "engine/devices/device_registry.h"
#include "engine/devices/precision.h"
#include "engine/files/atomic_file.h"
#include "engine/parallel.h"
#include "ops/cpu/conv/conv.h"
#include "semiagcl/training/trainer.h"
#include "tests/cases/op_cases.h"
#include "tools/bench/bench.h"
#include "tools/bench/paper_bench.h"
#include "tools/programs/json_text.h"
#include "tools/programs/program.h"
#include "tools/programs/text_table.h"
#include "tools/programs/version.h"
#include "tools/run/config.h"
#include "tools/run/run_data.h"

// sagcl-bench: how long operations and training steps take, and how much memory they need.
using namespace sagcl;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string device = "auto", precision = "auto", json, filter;
  int threads = 0;
  double seconds = 0.4;
  bool cases = false, errors = false;
  tools::StepSpec step;
  std::string preset = "hippocampus", data, method;
  std::vector<std::string> set;
};

double rounded(double v) { return std::round(v * 1e4) / 1e4; }

void write_json(const Options& o, const Json& json) {
  if (!o.json.empty()) engine::write_file_atomically(o.json, tools::json_text(json, 1) + "\n");
}

/// The operations as the tests describe them, small; those that exist in f32.
std::vector<tools::BenchCase> tested_cases() {
  std::vector<tools::BenchCase> cases;
  for (const tests::OpCase& c : tests::op_cases()) {
    if (c.f64_only) continue;
    tools::BenchCase b{c.name, {}, c.f, 0};
    for (const auto& input : c.inputs) b.inputs.push_back(input.shape);
    cases.push_back(std::move(b));
  }
  return cases;
}

/// How far results and gradients in f32 are from those in f64.
int errors(const Options& o, engine::Device device) {
  tools::TextTable table({"operation", "result", "gradient of input 0", "1", "2"});
  Json rows = Json::array();
  for (const tools::BenchCase& c : o.cases ? tested_cases() : tools::layer_cases()) {
    if (c.name.find(o.filter) == std::string::npos) continue;
    const std::vector<double> found = tools::errors_of(c, device);
    std::vector<std::string> cells = {c.name};
    for (std::size_t k = 0; k < 4; ++k) cells.push_back(k < found.size() ? fmt::format("{:.1e}", found[k]) : "");
    table.row(std::move(cells));
    rows.push_back({{"name", c.name}, {"errors", found}});
  }
  engine::require<engine::UsageError>(!rows.empty(), "--filter {}: no operation has this in its name", o.filter);
  fmt::print("f32 beside f64, ‖difference‖ / ‖f64‖; convolutions with {}\n{}", ops::cpu::conv_description(), table.text());
  write_json(o, {{"schema_version", 1}, {"device", engine::to_string(device)}, {"ops", rows}});
  return tools::exit_ok;
}

int operations(const Options& o, engine::Device device) {
  if (o.errors) return errors(o, device);
  tools::TextTable table({"operation", "forward ms", "GFLOP/s", "forward+backward ms"});
  Json rows = Json::array();
  for (const tools::BenchCase& c : o.cases ? tested_cases() : tools::layer_cases()) {
    if (c.name.find(o.filter) == std::string::npos) continue;
    const tools::CaseTiming t = tools::time_case(c, o.seconds, device);
    const double rate = t.flops > 0 ? t.flops / t.forward / 1e9 : NAN;
    table.row({t.name, tools::number(1e3 * t.forward, 3), tools::number(rate, 1), tools::number(1e3 * t.both, 3)});
    rows.push_back({{"name", t.name}, {"forward", t.forward}, {"forward_backward", t.both}, {"flops", t.flops}});
  }
  engine::require<engine::UsageError>(!rows.empty(), "--filter {}: no operation has this in its name", o.filter);
  fmt::print("{}", table.text());
  write_json(o, {{"schema_version", 1},
                 {"threads", engine::threads()},
                 {"device", engine::to_string(device)},
                 {"precision", engine::to_string(engine::precision())},
                 {"ops", rows}});
  return tools::exit_ok;
}

int step(Options o, engine::Device device) {
  o.step.device = device;
  const tools::StepTiming t = tools::time_step(o.step);
  tools::TextTable table({"", "median s"});
  table.row({"forward and loss", tools::number(t.forward, 4)});
  table.row({"backward", tools::number(t.backward, 4)});
  table.row({"optimiser", tools::number(t.optimiser, 4)});
  table.rule();
  table.row({"step", tools::number(t.step_median, 4)});
  table.row({"fastest step", tools::number(t.step_min, 4)});
  // One line of JSON first, so that a script can read the same line from either framework.
  const Json json = {{"sagcl", tools::version()},
                     {"net", o.step.net},
                     {"shape", o.step.shape},
                     {"batch", o.step.batch},
                     {"threads", engine::threads()},
                     {"channels_last", true},
                     {"precision", engine::to_string(engine::precision())},
                     {"storage", o.step.storage},
                     {"recompute", o.step.recompute},
                     {"compile", false},
                     {"device", engine::to_string(device)},
                     {"parameters", t.parameters},
                     {"forward", rounded(t.forward)},
                     {"backward", rounded(t.backward)},
                     {"optimiser", rounded(t.optimiser)},
                     {"step_median", rounded(t.step_median)},
                     {"step_min", rounded(t.step_min)},
                     {"peak_MiB", std::int64_t(t.peak_mib)},
                     {"allocator_MiB", std::int64_t(t.allocator_peak_mib)}};
  fmt::print("{}\n", tools::json_text(json));
  tools::say(table.text() + fmt::format("{} parameters; peak {:.0f} MiB, of it {:.0f} MiB tensors", t.parameters, t.peak_mib,
                                        t.allocator_peak_mib));
  write_json(o, json);
  return tools::exit_ok;
}

/// Whole steps of a method on real data, batches and all, from the first step after the warm-up.
int method(const Options& o, engine::Device device) {
  semiagcl::RunSettings s;
  tools::apply_preset(s, o.preset);
  s.data.folder = o.data;
  s.method.warm_up_share = 0;
  if (!o.method.empty()) s.train.method = o.method;
  for (const auto& assignment : o.set) tools::apply_assignment(s, assignment);
  s.train.steps = o.step.warm + o.step.steps + 1;  // the last step, which frees the optimiser, is not measured
  tools::check(s);
  const tools::RunData data = tools::load_run_data(s, "");
  semiagcl::Trainer trainer(s, data.training, device);
  for (std::int64_t i = 0; i < o.step.warm; ++i) trainer.advance();
  trainer.reports();
  engine::allocator(device).reset_peak();
  std::vector<double> times;
  for (std::int64_t i = 0; i < o.step.steps; ++i)
    times.push_back(tools::seconds_of([&] { trainer.advance(), trainer.reports(); }));
  const double peak = double(engine::allocator(device).statistics().peak) / (1 << 20), resident = tools::peak_resident_mib();
  const Json json = {{"sagcl", tools::version()},
                     {"method", s.train.method},
                     {"preset", o.preset},
                     {"net", s.network.name},
                     {"width", s.network.width},
                     {"crop", s.train.patch},
                     {"batch", s.train.batch},
                     {"threads", engine::threads()},
                     {"device", engine::to_string(device)},
                     {"precision", engine::to_string(engine::precision())},
                     {"step_med", rounded(tools::median(times))},
                     {"step_min", rounded(*std::min_element(times.begin(), times.end()))},
                     {"peak_MiB", std::int64_t(device.is_cpu() ? resident : peak)},
                     {"allocator_MiB", std::int64_t(peak)}};
  fmt::print("{}\n", tools::json_text(json));
  write_json(o, json);
  return tools::exit_ok;
}

/// Threads of a run and runs side by side, as far as the command line leaves them open: small networks are quickest with a
/// thread each and as many runs as cores; a GPU takes one run at a time.
void choose_jobs(const Options& o, tools::PaperBench& bench) {
  const int cores = std::max(1, int(std::thread::hardware_concurrency()));
  const bool gpu = o.device != "cpu" && !engine::resolve_device(o.device).device.is_cpu();
  int threads = o.threads;
  if (threads == 0 && bench.jobs > 0) threads = std::max(1, cores / int(bench.jobs));
  if (threads == 0) threads = bench.size == "cpu" && !gpu ? 1 : cores;
  if (bench.jobs == 0) bench.jobs = gpu ? 1 : std::size_t(std::max(1, cores / threads));
  setenv("SAGCL_PROCESSES_HERE", std::to_string(bench.jobs).c_str(), 1);  // they share the memory
  bench.arguments.insert(bench.arguments.end(), {"--device", o.device, "--threads", std::to_string(threads)});
}

int paper_table(const Options& o, tools::PaperBench bench) {
  tools::require_folder(o.data, "--data");
  bench.train = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "sagcl-train";
  bench.set = o.set;
  bench.arguments = {"--data", o.data};
  choose_jobs(o, bench);
  return tools::run_paper_table(bench);
}

void add_paper_options(CLI::App* sub, Options& o, tools::PaperBench& paper) {
  static const std::map<std::string, std::vector<tools::WarmUp>> warm_ups = {
      {"plain", {tools::WarmUp::plain}},
      {"pasted", {tools::WarmUp::pasted}},
      {"always", {tools::WarmUp::always}},
      {"both", {tools::WarmUp::plain, tools::WarmUp::pasted}}};
  paper.jobs = 0;  // until choose_jobs
  sub->add_option("--data", o.data, "folder of the data set")->required()->type_name("DIR");
  sub->add_option("--out", paper.out, "folder for the runs and the table")->required()->type_name("DIR");
  sub->add_option(
         "--size", paper.size,
         "cpu: minutes to an hour a run on one core; full: the paper's protocol, for a GPU (each a preset by table)")
      ->check(CLI::IsMember({"cpu", "full"}))
      ->capture_default_str();
  auto* preset = sub->add_option("--preset", paper.preset, "settings shared by all rows, instead of those of --size");
  sub->add_option("--config", paper.config, "likewise, from a file")->excludes(preset)->check(CLI::ExistingFile);
  sub->add_option("--rows", paper.rows, "ids of rows, e.g. row01,row03 or ua-mt,bcp (default: all)")->delimiter(',');
  sub->add_option("--labelled,--labeled", paper.labelled, "counts or shares of labelled patients (default: the paper's)")
      ->delimiter(',');
  sub->add_option("--seeds", paper.seeds, "seeds, each a run with other labelled patients")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option_function<std::string>(
         "--warm-up", [&paper](const std::string& name) { paper.warm_ups = warm_ups.at(name); },
         "of the methods: plain; pasted: labelled images swap boxes in it; both of these; always: also behind it")
      ->check(CLI::IsMember({"plain", "pasted", "both", "always"}))
      ->default_str("pasted");
  sub->add_option("--set", o.set, "one setting of all rows, key=value; may be repeated")->allow_extra_args(false);
  sub->add_option("--jobs", paper.jobs, "runs side by side (default: cores / threads, on a GPU 1)")
      ->check(CLI::Range(1, 1024));
  sub->add_option("--threads", o.threads, "CPU threads of a run (default: 1, with --size full all)")
      ->check(CLI::Range(1, 1024));
  sub->add_option("--known", paper.known,
                  "runs.jsonl of another --out, machine or day: its runs count and are not run again")
      ->type_name("FILE");
  sub->add_flag("--list", paper.list, "print the sagcl-train command of every run and leave");
  sub->add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
}

void add_step_options(CLI::App* sub, Options& o) {
  sub->add_option("--steps", o.step.steps, "measured steps")->check(CLI::Range(1, 100000))->capture_default_str();
  sub->add_option("--warm", o.step.warm, "steps before them")->check(CLI::Range(0, 100000))->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Measures operations (ops), one training step of a network (step), steps of a whole method\n(method), runs the "
      "tables of the paper (paper), or tells what more labels would bring (labels).");
  Options o;
  app.require_subcommand(1);
  CLI::App* ops_command = app.add_subcommand("ops", "every family of operations at the sizes of the networks' layers");
  ops_command->add_option("--filter", o.filter, "only names that contain this");
  ops_command->add_option("--seconds", o.seconds, "time per operation")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  ops_command->add_flag("--errors", o.errors, "how far f32 is from f64, instead of times");
  ops_command->add_flag("--cases", o.cases, "the small cases of the tests instead");
  CLI::App* step_command = app.add_subcommand("step", "forward, cross-entropy, backward and Adam on random values");
  step_command->add_option("--net", o.step.net, "vnet or unet")
      ->check(CLI::IsMember({"vnet", "unet"}))
      ->capture_default_str();
  step_command->add_option("--shape", o.step.shape, "D,H,W for vnet, H,W for unet")->delimiter(',')->capture_default_str();
  step_command->add_option("--batch", o.step.batch, "images per step")->check(CLI::Range(1, 4096))->capture_default_str();
  step_command->add_option("--width", o.step.width, "channels of the first stage")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  step_command->add_option("--storage", o.step.storage, "of activations until their backward: f32 or bf16")
      ->capture_default_str();
  step_command->add_flag("!--no-recompute", o.step.recompute, "keep the outputs of norms for the backward pass");
  add_step_options(step_command, o);
  CLI::App* method_command = app.add_subcommand("method", "whole training steps on a data set, batches included");
  method_command->add_option("--preset", o.preset, "settings")->capture_default_str();
  method_command->add_option("--data", o.data, "folder of the data set")->required()->type_name("DIR");
  method_command->add_option("--method", o.method, "e.g. supervised (default: the preset's)");
  method_command->add_option("--set", o.set, "one setting, key=value; may be repeated")->allow_extra_args(false);
  add_step_options(method_command, o);
  CLI::App* paper_command = app.add_subcommand(
      "paper",
      "runs a table of the paper on a data set, beside supervised training with few and with all labels and what was "
      "printed; resumes where it stopped");
  CLI::App* labels_command = app.add_subcommand(
      "labels", "trains with 2, 4, 8, … labelled patients and says what more labels bring; resumes where it stopped");
  tools::PaperBench paper, labels;
  labels.table = "labels";
  paper_command
      ->add_option("table", paper.table, "I, II, III: methods; IV: losses; V: patches; VI: cost; hippocampus: methods")
      ->required();
  add_paper_options(paper_command, o, paper);
  add_paper_options(labels_command, o, labels);
  for (CLI::App* sub : {ops_command, step_command, method_command}) {
    sub->add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
    sub->add_option("--device", o.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
    sub->add_option("--precision", o.precision, "of convolutions: auto, fp32, tf32 or bf16 (and activations)")
        ->capture_default_str();
    sub->add_option("--json", o.json, "also write the figures to this file")->type_name("FILE");
  }
  return tools::run_program(
      app, argc, argv,
      "  sagcl-bench ops --filter conv --threads 1\n"
      "  sagcl-bench step --net vnet --shape 112,112,80 --batch 1 --threads 2 --steps 5\n"
      "  sagcl-bench method --preset hippocampus --data data/hippocampus --threads 2 --steps 10\n"
      "  sagcl-bench paper II --size cpu --data ACDC --rows ua-mt,bcp,semi-agcl --labelled 3 --out runs/ACDC\n"
      "  sagcl-bench labels --config plan.toml --data DIR --labelled 2,4,8 --seeds 0,1,2 --out runs/labels\n",
      [&] {
        if (paper_command->parsed()) return paper_table(o, paper);
        if (labels_command->parsed()) return paper_table(o, labels);
        if (o.threads > 0) engine::set_threads(o.threads);
        const engine::DeviceChoice device = engine::resolve_device(o.device, o.precision);
        if (ops_command->parsed()) return operations(o, device.device);
        return step_command->parsed() ? step(o, device.device) : method(o, device.device);
      });
}
