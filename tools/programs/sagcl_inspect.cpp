#include <CLI/CLI.hpp>
#include <algorithm>

#include "engine/files/atomic_file.h"
#include "engine/parallel.h"
#include "tools/inspect/batch_view.h"
#include "tools/inspect/bits.h"
#include "tools/inspect/compare.h"
#include "tools/inspect/gradcheck_view.h"
#include "tools/inspect/grads.h"
#include "tools/inspect/leaks.h"
#include "tools/inspect/profile.h"
#include "tools/inspect/repeat.h"
#include "tools/inspect/tape_view.h"
#include "tools/inspect/watch.h"
#include "tools/programs/program.h"
#include "tools/programs/signals.h"

// sagcl-inspect: looks inside a step of a training.
using namespace sagcl;

namespace {

struct Options {
  tools::InspectedStepSpec subject;
  tools::GradientOptions gradients;
  std::int64_t depth = -1;  // of tape and memory
  std::int64_t steps = 5;   // of profile
  bool layers = false;      // likewise
  std::string svg, dot, trace, html;
  std::vector<std::string> names;  // of watch
  std::filesystem::path npy;
  std::string what = "all", only;  // of gradcheck
  std::int64_t elements = 4;
  std::filesystem::path a, b;
  int threads = 0;
  bool json = false;
};

CLI::App* verb(CLI::App& app, Options& o, const std::string& name, const std::string& text, const char* run = "run") {
  CLI::App* sub = app.add_subcommand(name, text);
  sub->add_option(run, o.subject.run, "run folder, as given to sagcl-train --out")->type_name("RUN");
  sub->add_option("--step", o.subject.step,
                  "the step to look at, as counted in metrics.jsonl (default: behind the checkpoint)");
  sub->add_option("--checkpoint", o.subject.checkpoint, "a checkpoint of the run (default: the newest before the step)");
  sub->add_option("--preset", o.subject.preset, "instead of a run: the beginning of one with these settings");
  sub->add_option("--data", o.subject.data, "folder of the images and labels (default: the run's)");
  sub->add_option("--set", o.subject.set, "one setting, key=value; may be repeated")->allow_extra_args(false);
  sub->add_option("--device", o.subject.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  sub->add_option("--threads", o.threads, "CPU threads (default: all)")->check(CLI::Range(1, 1024));
  sub->add_flag("--json", o.json, "JSON instead of text");
  return sub;
}

int grads(const Options& o) {
  tools::InspectedStep subject(o.subject);
  const tools::GradientReport report = tools::gradient_report(subject, o.gradients);
  fmt::print("{}", o.json ? tools::gradient_json(report) : tools::gradient_text(report));
  return tools::exit_ok;
}

int tape(const Options& o) {
  tools::InspectedStep subject(o.subject);
  tools::TapeWatch watch(subject.device());
  subject.trainer().observe(watch);
  std::vector<tools::TapeEntry> entries = watch.entries();
  if (o.depth >= 0) entries = tools::joined(entries, std::size_t(o.depth));
  fmt::print("{}", o.json ? tools::tape_json(entries) : subject.text() + "\n\n" + tools::tape_text(entries));
  if (!o.svg.empty()) engine::write_file_atomically(o.svg, tools::tape_svg(entries, subject.text()));
  if (!o.dot.empty()) engine::write_file_atomically(o.dot, tools::tape_dot(entries));
  return tools::exit_ok;
}

int memory(const Options& o) {
  tools::InspectedStep subject(o.subject);
  tools::TapeWatch watch(subject.device());
  subject.trainer().observe(watch);
  const std::size_t depth = o.depth < 0 ? 1 : std::size_t(o.depth);
  fmt::print("{}", o.json ? tools::memory_json(watch, depth) : subject.text() + "\n\n" + tools::memory_text(watch, depth));
  if (!o.svg.empty()) engine::write_file_atomically(o.svg, tools::memory_svg(watch));
  return tools::exit_ok;
}

int profile(const Options& o) {
  tools::InspectedStep subject(o.subject);
  semiagcl::Trainer& trainer = subject.trainer();
  const std::int64_t left = subject.settings().train.steps - trainer.steps_done(), steps = std::min(o.steps, left - 1);
  engine::require<engine::UsageError>(
      steps > 0,
      "profile takes a step to warm up and at least one more, and the run has {} left: look at an earlier one (--step)",
      left);
  trainer.advance(), trainer.reports();  // the first one prepares
  const tools::MachinePeak peak = tools::measured_peak(subject.device());
  tools::Profile profile(subject.device());
  for (std::int64_t i = 0; i < steps; ++i) trainer.advance(), trainer.reports();
  fmt::print("{}", o.json ? tools::profile_json(profile, steps, peak)
                          : subject.text() + "\n\n" + tools::profile_text(profile, steps, peak, o.layers));
  if (!o.trace.empty()) engine::write_file_atomically(o.trace, profile.trace());
  return tools::exit_ok;
}

int watch(const Options& o) {
  tools::InspectedStep subject(o.subject);
  fmt::print("{}", tools::watch(subject, o.names, o.npy, o.json));
  return tools::exit_ok;
}

int gradcheck(const Options& o) {
  std::vector<tools::CheckedGradient> all;
  const auto add = [&](std::vector<tools::CheckedGradient> some) {
    for (tools::CheckedGradient& one : some) all.push_back(std::move(one));
  };
  const auto wanted = [&](const char* kind) { return o.what == kind || o.what == "all"; };
  if (wanted("op")) add(tools::check_cases("op", tests::op_cases(), o.only, 400));
  if (wanted("module")) add(tools::check_cases("module", tests::module_cases(), o.only, o.elements));
  if (wanted("loss")) add(tools::check_cases("loss", tests::loss_cases(), o.only, 400));
  if (wanted("method")) add(tools::check_methods(o.only, o.elements));
  if (o.what == "step") {
    tools::InspectedStep subject(o.subject);
    add(tools::check_step(subject, o.only, o.elements));
  }
  engine::require<engine::UsageError>(!all.empty(), "gradcheck {}: nothing fits --only {}", o.what, o.only);
  fmt::print("{}", o.json ? tools::gradcheck_json(all) : tools::gradcheck_text(all));
  for (const tools::CheckedGradient& one : all)
    if (!one.result.passed) return tools::exit_internal;
  return tools::exit_ok;
}

int leaks(const Options& o) {
  tools::InspectedStep subject(o.subject);
  semiagcl::Trainer& trainer = subject.trainer();
  const std::int64_t left = subject.settings().train.steps - trainer.steps_done();
  engine::require<engine::UsageError>(o.steps < left, "leaks takes {} steps after a first one, and the run has {} left",
                                      o.steps, left);
  trainer.advance(), trainer.reports();  // the first one prepares
  const std::vector<tools::Leak> found =
      tools::find_leaks(subject.device(), o.steps, [&] { trainer.advance(), trainer.reports(); });
  fmt::print("{}", o.json ? tools::leak_json(found, o.steps) : tools::leak_text(found, o.steps));
  return found.empty() ? tools::exit_ok : tools::exit_internal;
}

int bits(const Options& o) {
  tools::InspectedStep subject(o.subject);
  const int threads = std::max(2, engine::threads());
  const tools::BitDifference found =
      tools::compare_bits([&](autograd::Observer& watch) { subject.trainer().observe(watch); }, threads);
  fmt::print("{}", o.json ? tools::bits_json(found, threads) : subject.text() + "\n" + tools::bits_text(found, threads));
  return found.equal ? tools::exit_ok : tools::exit_internal;
}

int batch(const Options& o) {
  tools::InspectedStep subject(o.subject);
  const tools::BatchView view = tools::batch_view(subject);
  fmt::print("{}", o.json ? tools::batch_json(view) : tools::batch_text(view));
  if (!o.html.empty()) engine::write_file_atomically(o.html, tools::batch_page(view));
  else if (!o.json) tools::say("--html FILE draws them");
  return tools::exit_ok;
}

int compare(const Options& o) {
  const tools::Comparison found = tools::compare(o.a, o.b);
  fmt::print("{}", o.json ? found.json : found.text);
  return found.equal ? tools::exit_ok : tools::exit_internal;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Looks inside a step of a training. Nothing is written to the run.", "sagcl-inspect");
  app.require_subcommand(1);
  Options o;
  CLI::App* g = verb(app, o, "grads", "what each term of the loss does to each layer, and the state of the weights");
  g->add_flag("--truth", o.gradients.truth,
              "beside the terms: the gradient that the hidden labels of the unlabelled cases give");
  g->add_option("--batches", o.gradients.batches, "sum over so many batches, with the weights as they are")
      ->check(CLI::Range(1, 100000));
  g->add_option("--depth", o.gradients.depth, "join layers whose names begin with the same so many parts");
  CLI::App* t = verb(app, o, "tape", "the operations of the step: results, times, memory, gradients, and who feeds whom");
  t->add_option("--depth", o.depth, "join the operations of modules whose names begin with the same so many parts")
      ->check(CLI::Range(1, 100));
  t->add_option("--svg", o.svg, "also as a picture")->type_name("FILE");
  t->add_option("--dot", o.dot, "also for Graphviz")->type_name("FILE");
  CLI::App* m = verb(app, o, "memory", "what is alive when, and which modules keep how much for the backward pass");
  m->add_option("--depth", o.depth, "of the modules' names (default: 1)")->check(CLI::Range(1, 100));
  m->add_option("--svg", o.svg, "also as a curve over the operations")->type_name("FILE");
  CLI::App* p = verb(app, o, "profile", "where the time of steps goes, by phase and operation");
  p->add_option("--steps", o.steps, "how many steps")->capture_default_str()->check(CLI::Range(1, 100000));
  p->add_flag("--layers", o.layers, "also every operation of every layer");
  p->add_option("--trace", o.trace, "also for Perfetto or chrome://tracing")->type_name("FILE");
  CLI::App* k =
      verb(app, o, "gradcheck", "gradients in f64 beside difference quotients; exit code 1 if one is wrong", "--run");
  k->add_option("what", o.what,
                "op, module, loss, method (on phantoms), all of these, or step: of --run, or --preset and --data")
      ->check(CLI::IsMember({"op", "module", "loss", "method", "all", "step"}))
      ->capture_default_str();
  k->add_option("--only", o.only, "names with * and ?, e.g. 'conv/*'");
  k->add_option("--elements", o.elements, "of each parameter of a module, method or step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  CLI::App* l =
      verb(app, o, "leaks", "takes steps and names what asked for memory that they do not give back; exit code 1 if so");
  l->add_option("--steps", o.steps, "how many steps")->capture_default_str()->check(CLI::Range(4, 100000));
  CLI::App* i =
      verb(app, o, "bits",
           "takes the step with one thread and with several, and names the first operation whose bits differ; exit "
           "code 1 if so");
  CLI::App* b = verb(app, o, "batch", "the samples of the step, and what the method makes of them, as a page of pictures");
  b->add_option("--html", o.html, "where to write the page")->type_name("FILE");
  CLI::App* w = verb(app, o, "watch", "what tensors of the step hold: of operations, weights, and what the method shows");
  w->add_option("--name", o.names, "which, with * and ?, e.g. 'dec*/conv:grad'; may be repeated (default: lists all names)")
      ->allow_extra_args(false);
  w->add_option("--npy", o.npy, "also as NumPy files into this folder")->type_name("DIR");
  CLI::App* c =
      app.add_subcommand("compare", "what differs between two runs or two safetensors files; exit code 1 if anything does");
  c->add_option("a", o.a, "run folder or file")->required();
  c->add_option("b", o.b, "the other one")->required();
  c->add_flag("--json", o.json, "JSON instead of text");
  CLI::App* r =
      verb(app, o, "replay", "takes a step of the run again and compares it with what the run wrote down, bit for bit");
  CLI::App* n =
      verb(app, o, "nan", "takes steps until a loss or a gradient is not finite and names the operation that began it");
  return tools::run_program(app, argc, argv,
                            "  sagcl-inspect grads runs/demo/semi-agcl\n"
                            "  sagcl-inspect grads runs/a --step 1500 --truth --depth 1\n"
                            "  sagcl-inspect grads --preset sunnybrook --data data/sunnybrook --json\n"
                            "  sagcl-inspect tape runs/a --depth 1 --svg tape.svg\n"
                            "  sagcl-inspect memory runs/a --svg memory.svg\n"
                            "  sagcl-inspect profile --preset acdc-cpu --data DIR --steps 10 --trace trace.json\n"
                            "  sagcl-inspect leaks runs/a --step 1000 --steps 20\n"
                            "  sagcl-inspect bits runs/a --step 1000\n"
                            "  sagcl-inspect gradcheck op --only 'conv/*'\n"
                            "  sagcl-inspect gradcheck step --run runs/a --step 1500\n"
                            "  sagcl-inspect batch runs/a --step 1500 --html batch.html\n"
                            "  sagcl-inspect watch runs/a --name A --name 'enc*/conv:grad'\n"
                            "  sagcl-inspect compare runs/a runs/b\n"
                            "  sagcl-inspect replay runs/a --step 1500\n"
                            "  sagcl-inspect nan runs/failed",
                            [&] {
                              if (o.threads > 0) engine::set_threads(o.threads);
                              if (k->parsed()) return gradcheck(o);  // a signal ends it at once: nothing is lost
                              tools::catch_signals();
                              if (t->parsed()) return tape(o);
                              if (m->parsed()) return memory(o);
                              if (p->parsed()) return profile(o);
                              if (l->parsed()) return leaks(o);
                              if (i->parsed()) return bits(o);
                              if (b->parsed()) return batch(o);
                              if (w->parsed()) return watch(o);
                              if (c->parsed()) return compare(o);
                              if (r->parsed()) return tools::replay_step(o.subject, o.json);
                              if (n->parsed()) return tools::search_non_finite(o.subject);
                              return grads(o);
                            });
}
