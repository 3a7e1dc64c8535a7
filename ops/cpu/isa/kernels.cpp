// Compiled once per instruction set (ops/cpu/kernels.cmake).
#include "ops/cpu/isa/dot.inl"
#include "ops/cpu/isa/gemm.inl"
#include "ops/cpu/isa/outer.inl"
#include "ops/cpu/isa/pack.inl"
#include "ops/cpu/isa/winograd.inl"

namespace sagcl::ops::cpu::SAGCL_ISA {

#define SAGCL_TEXT_OF(x) #x
#define SAGCL_TEXT(x) SAGCL_TEXT_OF(x)

extern const Kernels table;
const Kernels table{
    .name = SAGCL_TEXT(SAGCL_ISA),
    .lanes = lanes,
    .gemm_rows = gemm_rows,
    .dot_rows = dot_rows,
    .outer_sum = outer_sum,
    .pack_panel = pack_panel,
    .winograd2 = winograd_table<2>,
    .winograd4 = winograd_table<4>,
};

}  // namespace sagcl::ops::cpu::SAGCL_ISA
