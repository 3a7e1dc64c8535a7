#include <algorithm>
#include <deque>

#include "layers/vnet.h"
#include "ops/arithmetic.h"
#include "ops/layout.h"

// A V-Net whose feature maps are never in memory as a whole. Every stage takes some planes of its input, in order, hands on
// the planes of its output that these complete, and keeps what the next ones will need. What grows with the area of a plane,
// not with the depth of the volume, are the skips: the decoder is more than a hundred planes behind the encoder.
namespace sagcl::layers {
namespace {

using Next = std::function<void(Variable planes)>;

std::int64_t planes_of(const Variable& x) { return x.shape()[1]; }

Variable some(const Variable& x, std::int64_t first, std::int64_t count) {
  return count == planes_of(x) ? x : ops::slice(x, 1, first, count);
}

Variable with_zero_planes(const Variable& x, bool before, bool after) {
  return before || after ? ops::pad(x, {{before, 0, 0}}, {{after, 0, 0}}) : x;
}

/// A unit of kernel 3x3x3: one plane behind its input, of which it keeps two.
Next unit_stage(ConvUnit& unit, std::int64_t depth, Next next) {
  struct State {
    Variable kept;
    std::int64_t seen = 0;
  };
  return [&unit, depth, next = std::move(next), s = std::make_shared<State>()](Variable x) {
    s->seen += planes_of(x);
    x = s->kept.defined() ? ops::concat({s->kept, x}, 1) : with_zero_planes(x, true, false);
    x = with_zero_planes(x, false, s->seen == depth);
    const std::int64_t n = planes_of(x);
    s->kept = n < 3 ? x : some(x, n - 2, 2);
    if (n < 3) return;
    x = unit.forward_planes(x, depth);
    next(std::move(x));
  };
}

/// A unit that makes one plane of `step` planes; the results wait until there are `wanted`, or no more come.
Next down_stage(ConvUnit& unit, std::int64_t depth, std::int64_t step, std::int64_t wanted, Next next) {
  struct State {
    Variable odd;
    std::vector<Variable> done;
    std::int64_t waiting = 0, seen = 0;
  };
  return [&unit, depth, step, wanted, next = std::move(next), s = std::make_shared<State>()](Variable x) {
    s->seen += planes_of(x);
    if (s->odd.defined()) x = ops::concat({s->odd, x}, 1);
    const std::int64_t even = planes_of(x) / step * step;
    s->odd = even < planes_of(x) ? some(x, even, 1) : Variable();
    if (even > 0) s->done.push_back(unit.forward(some(x, 0, even), {})), s->waiting += even / step;
    if (s->waiting < wanted && s->seen < depth) return;
    x = s->done.size() == 1 ? s->done.front() : ops::concat(s->done, 1);
    s->done.clear(), s->waiting = 0;
    next(std::move(x));
  };
}

/// Encoder planes on their way to the decoder.
class Skips {
 public:
  void push(const Variable& x) { parts_.push_back(x); }

  Variable take(std::int64_t count) {
    std::vector<Variable> taken;
    while (count > 0) {
      const std::int64_t left = planes_of(parts_.front()) - used_, n = std::min(count, left);
      taken.push_back(some(parts_.front(), used_, n));
      used_ += n, count -= n;
      if (n == left) parts_.pop_front(), used_ = 0;
    }
    return taken.size() == 1 ? taken.front() : ops::concat(taken, 1);
  }

 private:
  std::deque<Variable> parts_;
  std::int64_t used_ = 0;  // planes of the first part
};

using TakeSkips = std::function<Variable(std::int64_t count)>;

/// A unit that makes `step` planes of one, and the encoder's planes added to them; at most `most` planes at once.
Next up_stage(ConvUnit& unit, std::int64_t step, std::int64_t most, TakeSkips skips, Next next) {
  return [&unit, step, most, skips = std::move(skips), next = std::move(next)](Variable x) {
    const std::int64_t n = planes_of(x), count = std::max<std::int64_t>(most / step, 1);
    for (std::int64_t first = 0; first < n; first += count) {
      Variable up = unit.forward(some(x, first, std::min(count, n - first)), {});
      up = ops::add(up, skips(planes_of(up)));
      next(std::move(up));
    }
  };
}

/// The first stage's output is as large as all others together and cheap to make, so it is made again rather than kept.
TakeSkips made_again(ConvUnit& unit, std::int64_t depth, const PlaneSource& volume) {
  return [&unit, depth, &volume, first = std::int64_t(0)](std::int64_t count) mutable {
    const std::int64_t begin = std::max<std::int64_t>(first - 1, 0), end = std::min(first + count + 1, depth);
    const Variable x = with_zero_planes(volume(begin, end - begin), first == 0, first + count == depth);
    first += count;
    return unit.forward_planes(x, depth);
  };
}

}  // namespace

void VNet::stream(std::int64_t depth, const PlaneSource& volume, const LogitSink& logits) {
  const Variable first = volume(0, 1);
  std::array<std::int64_t, 5> plane, depths;  // of each level: floats of a plane, and planes
  plane[0] = first.value().size() / first.shape()[4] * spec_.width, depths[0] = depth;
  // On a GPU kernels are chosen by size, which may change the last bits, and there is room.
  if (depth * plane[0] <= 2 * streamed_floats || !first.value().device().is_cpu())
    return logits(forward(volume(0, depth), {}).logits);
  check_extents(first.shape().with(1, depth));
  const PlaneSource planes = [&](std::int64_t begin, std::int64_t count) { return narrowed(volume(begin, count)); };
  for (std::size_t l = 0; l < 4; ++l) {
    const engine::Extents step = spec_.step(l);
    plane[l + 1] = 2 * plane[l] / (step[1] * step[2]), depths[l + 1] = depths[l] / step[0];
  }
  const auto at_once = [&](std::size_t level) { return std::max<std::int64_t>(streamed_floats / plane[level], 1); };
  const auto units = [&](VNetBlock& block, std::size_t level, Next next) {
    for (auto unit = block.rbegin(); unit != block.rend(); ++unit) next = unit_stage(**unit, depths[level], std::move(next));
    return next;
  };
  Next next = [&](Variable x) { logits(decoder_->head_->forward(widened(x))); };
  std::array<std::shared_ptr<Skips>, 4> skips;
  for (std::size_t l = 0; l < 4; ++l) {
    skips[l] = std::make_shared<Skips>();
    const TakeSkips take =
        l == 0 ? made_again(*blocks_[0][0], depth, planes) : [s = skips[l]](std::int64_t count) { return s->take(count); };
    next = up_stage(*decoder_->ups_[3 - l], spec_.step(l)[0], at_once(l), take,
                    units(decoder_->blocks_[3 - l], l, std::move(next)));
  }
  next = units(blocks_[4], 4, std::move(next));
  for (std::size_t l = 4; l-- > 0;) {
    const std::int64_t wanted = std::max<std::int64_t>(at_once(1) * depths[l + 1] / std::max<std::int64_t>(depths[1], 1), 1);
    next = down_stage(*downs_[l], depths[l], spec_.step(l)[0], wanted, std::move(next));
    if (l > 0)
      next = [s = skips[l], next = std::move(next)](Variable x) {
        s->push(x);
        next(std::move(x));
      };
    next = units(blocks_[l], l, std::move(next));
  }
  // The first time one plane more, which the first stage is behind: then it hands on even numbers, which are halved at once.
  const std::int64_t n = std::max<std::int64_t>(at_once(0) / 2 * 2, 2);
  for (std::int64_t d = 0, end = std::min(n + 1, depth); d < depth; d = end, end = std::min(end + n, depth))
    next(planes(d, end - d));
}

}  // namespace sagcl::layers
