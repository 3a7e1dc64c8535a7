// No program opens a socket: here the kernel ends at once what does.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstddef>

#include "tests/tools/small_runs.h"

namespace sagcl::tests {
namespace {

/// From now on socket() ends this process, and those that it starts, with SIGSYS.
bool forbid_sockets() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = std::size(program), .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Of a child without sockets: its exit code, 128 + signal if one ended it.
template <class F>
int without_sockets(F&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(forbid_sockets() ? body() : 99);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class NoNetwork : public SmallRuns {
 protected:
  void expect_done(const std::string& program, const std::vector<std::string>& words) const {
    EXPECT_EQ(without_sockets([&] {
                const Outcome o = run(program, words);
                if (o.code != 0) fmt::print(stderr, "{}\n", o.err);
                return o.code;
              }),
              0)
        << program << " " << words[0];
  }
};

TEST_F(NoNetwork, TheTrialNoticesASocket) {
  EXPECT_EQ(without_sockets([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0; }), 128 + SIGSYS);
}

TEST_F(NoNetwork, NoProgramOpensASocket) {
  std::vector<std::string> train = arguments("run");
  std::erase(train, "--no-report");
  expect_done("sagcl-train", train);
  ASSERT_TRUE(fs::exists(at("run/report.html")));
  const std::string runs = at("run"), data = at("data"), masks = at("masks");
  expect_done("sagcl-data", {"check", data});
  expect_done("sagcl-data", {"plan", data, "--time", "10s", "--device", "cpu"});
  expect_done("sagcl-predict", {"--checkpoint", runs, "--input", data, "--output", masks, "--device", "cpu"});
  expect_done("sagcl-eval", {"--pred", masks, "--ref", masks, "--json", at("figures.json")});
  expect_done("sagcl-report", {runs});
  expect_done("sagcl-inspect", {"grads", runs, "--device", "cpu"});
  expect_done("sagcl-export", {"onnx", runs, "--out", at("network.onnx")});
}

}  // namespace
}  // namespace sagcl::tests
